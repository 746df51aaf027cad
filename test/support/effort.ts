/** How much the longest tests do: all where there is time (`BUSWAY_EFFORT=full`, as CI sets it with the newer Node), a part of it otherwise. */
export const isFull = process.env.BUSWAY_EFFORT === 'full'
