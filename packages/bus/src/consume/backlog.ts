/** Messages held and not started, in the order in which they run. */
import type { HeldRange } from './held-range.js'

export class Backlog {
  /** In messages. */
  size = 0
  /** The position in its range of what `take` gave last. */
  index = -1
  #ranges: HeldRange[] = []
  #head = 0

  /** The range that the next message is of. */
  get first(): HeldRange | undefined {
    return this.#ranges[this.#head]
  }

  push(range: HeldRange): void {
    if (range.unstarted === 0) return
    this.#ranges.push(range)
    this.size += range.unstarted
  }

  /** The next message: its range; `index` says which. */
  take(): HeldRange | undefined {
    const range = this.#ranges[this.#head]
    if (range === undefined) return undefined
    this.index = range.takeNext()
    this.size--
    if (range.unstarted === 0) this.#dropFirst()
    return range
  }

  /** Takes out all ranges that `which` picks. */
  takeOut(which: (range: HeldRange) => boolean): HeldRange[] {
    const out: HeldRange[] = []
    const kept: HeldRange[] = []
    for (let i = this.#head; i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as HeldRange
      if (which(range)) out.push(range)
      else kept.push(range)
    }
    this.#ranges = kept
    this.#head = 0
    for (const range of out) this.size -= range.unstarted
    return out
  }

  #dropFirst(): void {
    this.#head++
    if (this.#head < 64 || this.#head * 2 < this.#ranges.length) return
    this.#ranges = this.#ranges.slice(this.#head)
    this.#head = 0
  }
}
