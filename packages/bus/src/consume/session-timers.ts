/** When a session acts without being asked to: to renew its lease, when a message falls due, when something does not arrive. */

/** `setTimeout` fires at once for more than 24 days. */
const LONGEST_TIMER_MS = 3_600_000

export class SessionTimers {
  #renewTimer: NodeJS.Timeout | undefined
  #dueTimer: NodeJS.Timeout | undefined
  #missingTimer: NodeJS.Timeout | undefined

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

  /** Once what was missing since then is missing for so long; `undefined`: nothing is. */
  missing(afterMs: number | undefined, act: () => void): void {
    if (afterMs === undefined) {
      clearTimeout(this.#missingTimer)
      this.#missingTimer = undefined
    } else {
      this.#missingTimer ??= setTimeout(() => {
        this.#missingTimer = undefined
        act()
      }, afterMs)
    }
  }

  stop(): void {
    clearTimeout(this.#renewTimer)
    clearTimeout(this.#dueTimer)
    clearTimeout(this.#missingTimer)
  }
}
