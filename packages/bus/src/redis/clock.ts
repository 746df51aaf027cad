/** Redis' clock as this process knows it: the time of a reply, carried on by the monotonic clock. */
export class RedisClock {
  #offsetMs = Number.NaN
  #learnedAt = 0

  /**
   * A reply's time was taken before it arrived, so the estimate is late by the way back, more so if the event loop was busy. The latest estimate
   * is therefore the best one, for a while: Redis' clock may be set.
   */
  learn(nowMs: number): void {
    const here = performance.now()
    const offset = nowMs - here
    if (offset < this.#offsetMs && here - this.#learnedAt < 10_000) return
    this.#offsetMs = offset
    this.#learnedAt = here
  }

  /** Milliseconds since the epoch; this machine's clock before the first reply. */
  now(): number {
    return Number.isNaN(this.#offsetMs) ? Date.now() : performance.now() + this.#offsetMs
  }
}
