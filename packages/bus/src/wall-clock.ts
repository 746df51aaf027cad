/** The moments that events tell: by the wall clock as it was when the process began, with fractions of a millisecond. */

/** A getter, and one look is enough. */
const { timeOrigin } = performance

/** Milliseconds since 1970 of a moment of `performance.now()`. */
export const wallMs = (monotonicMs: number): number => timeOrigin + monotonicMs
