/** The consumer group of this peer. */
export const GROUP = 'orders'
