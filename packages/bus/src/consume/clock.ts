/** Time that a test can steer. */

export interface Clock {
  /** Milliseconds that only rise. */
  nowMs(): number
  /** Calls back once, after this turn of the event loop at the earliest; the function it answers prevents that. */
  after(ms: number, callback: () => void): () => void
}

export const realClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, callback) {
    if (ms <= 0) {
      const immediate = setImmediate(callback)
      return () => clearImmediate(immediate)
    }
    const timer = setTimeout(callback, Math.ceil(ms))
    return () => clearTimeout(timer)
  },
}
