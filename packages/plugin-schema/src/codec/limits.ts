/** Bounds of a body, the same for who writes and who reads it, so that what was published can be read. */

/** Records, arrays and maps within each other. */
export const MAX_DEPTH = 100
/** Items that take no bytes, such as nulls, in one body: no number of bytes bounds them. */
export const MAX_EMPTY_ITEMS = 10_000
/** Longs are less than this, and more than its negative: avsc doubles them on their way, and beyond 2^53 would take one for another. */
export const LONG_BOUND = 2 ** 52
