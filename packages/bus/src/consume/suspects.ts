/**
 * Whose turn it is to run a message that may have killed a process. In its own subscription nothing runs beside it (`solo`); in the others of its bus no
 * second suspect does: should the process die, only one of them can have done it, and the other would be convicted with it, time after time.
 */
export class SuspectTurn {
  /** Who has the turn. */
  #owner: object | undefined
  readonly #waiting = new Map<object, () => void>()

  /** Whether this one may start a suspect now; if not, `start` is called when it may. */
  mayStart(owner: object, start: () => void): boolean {
    if (this.#owner === undefined || this.#owner === owner) return true
    this.#waiting.set(owner, start)
    return false
  }

  started(owner: object): void {
    this.#owner = owner
    this.#waiting.delete(owner)
  }

  /** Its suspect has ended, or it is closed. */
  ended(owner: object): void {
    this.#waiting.delete(owner)
    if (this.#owner !== owner) return
    this.#owner = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const start of waiting) start()
  }
}
