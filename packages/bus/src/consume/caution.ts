/**
 * After a crash: running no further ahead than what recovery can tell.
 *
 * Recovery takes the first `concurrency` messages that a dead session had not settled for those that were running, and counts a crash for each. A fast
 * handler is hundreds of messages past its last confirmed settle, so a message that kills its process would be missed, crash after crash. So for some
 * leases after a crash was seen, a message starts only if those that run or wait for their settle's confirmation are fewer than `concurrency`: then the
 * next crash counts for the guilty one.
 */
export class Caution {
  readonly #lastsMs: number
  #untilMs = 0

  constructor(leaseMs: number) {
    this.#lastsMs = 5 * leaseMs
  }

  /** A consumer of the group crashed, not long ago. */
  crashSeen(): void {
    this.#untilMs = performance.now() + this.#lastsMs
  }

  isOn(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }
}
