/** Growing pauses between tries of what must not be given up. */
import { setTimeout as delay } from 'node:timers/promises'

const FIRST_MS = 50
const LONGEST_MS = 5_000

export class Patience {
  #tries = 0

  get tries(): number {
    return this.#tries
  }

  /** What succeeds makes the next pause a short one again. */
  reset(): void {
    this.#tries = 0
  }

  /** Half of it is left to chance, so that many clients do not return at once. */
  nextMs(): number {
    const fullMs = Math.min(FIRST_MS * 2 ** Math.min(this.#tries++, 20), LONGEST_MS)
    return Math.round(fullMs * (0.5 + 0.5 * Math.random()))
  }

  /** Resolves early when `signal` aborts. */
  async pause(signal: AbortSignal, atMostMs = LONGEST_MS): Promise<void> {
    await delay(Math.min(this.nextMs(), atMostMs), undefined, { signal }).catch(() => undefined)
  }
}
