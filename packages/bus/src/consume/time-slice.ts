/** Handlers that never wait are interrupted every few milliseconds, so that timers and sockets get their turn. */

/** How long handlers may follow one another without a turn of the event loop. */
const SLICE_MS = 2

export class TimeSlice {
  /** What would start waits for the next turn. */
  isOver = false

  readonly #onNext: () => void
  #startMs = 0
  #isOpen = false

  /** `onNext` is called in the next turn, if something had to wait for it. */
  constructor(onNext: () => void) {
    this.#onNext = onNext
  }

  /** Whether handlers may go on in this turn of the event loop. */
  has(nowMs: number): boolean {
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#startMs = nowMs
      setImmediate(() => {
        this.#isOpen = false
        if (!this.isOver) return
        this.isOver = false
        this.#onNext()
      })
      return true
    }
    if (nowMs - this.#startMs < SLICE_MS) return true
    this.isOver = true
    return false
  }
}
