/** When a session sends without being asked to: to renew its lease, and when a message falls due. */

/** `setTimeout` fires at once for more than 24 days. */
const LONGEST_TIMER_MS = 3_600_000

export class SessionTimers {
  #renewTimer: NodeJS.Timeout | undefined
  #dueTimer: NodeJS.Timeout | undefined

  /** Three times within each lease. */
  renewing(leaseMs: number, renew: () => void): void {
    // A process that consumes stays: this timer holds it.
    this.#renewTimer = setTimeout(
      () => {
        this.renewing(leaseMs, renew)
        renew()
      },
      Math.min(leaseMs / 3, LONGEST_TIMER_MS),
    )
  }

  /** In place of what was due before. */
  due(dueMs: number | undefined, wake: () => void): void {
    clearTimeout(this.#dueTimer)
    this.#dueTimer = undefined
    if (dueMs !== undefined) this.#dueTimer = setTimeout(wake, Math.min(Math.max(dueMs, 1), LONGEST_TIMER_MS))
  }

  stop(): void {
    clearTimeout(this.#renewTimer)
    clearTimeout(this.#dueTimer)
  }
}
