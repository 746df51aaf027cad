/**
 * Messages held and not started, in the order in which they run. Of messages with one ordering key only the first may start, and no other before it has
 * ended: they stand in a line of their own, and the line's first range among the others.
 */
import type { HeldRange } from './held-range.js'

export class Backlog {
  /** In messages. */
  size = 0
  /** Of these, those that stand behind another of their key. */
  behind = 0
  /** The position in its range of what `take` gave last. */
  index = -1
  #ranges: HeldRange[] = []
  #head = 0
  /** Ordering key -> what stands behind the range that is in `#ranges`, or behind the message that runs. */
  readonly #lines = new Map<string, HeldRange[]>()

  /** The range that the next message is of. */
  get first(): HeldRange | undefined {
    return this.#ranges[this.#head]
  }

  push(range: HeldRange): void {
    if (range.unstarted === 0) return
    this.size += range.unstarted
    if (range.key !== undefined) {
      const line = this.#lines.get(range.key)
      if (line !== undefined) {
        line.push(range)
        this.behind += range.unstarted
        return
      }
      this.#lines.set(range.key, [])
    }
    this.#ranges.push(range)
  }

  /** The next message: its range; `index` says which. With a key, `ended` must follow. */
  take(): HeldRange | undefined {
    const range = this.#ranges[this.#head]
    if (range === undefined) return undefined
    this.index = range.takeNext()
    this.size--
    if (range.key !== undefined && range.unstarted > 0) {
      this.#lines.get(range.key)?.unshift(range)
      this.behind += range.unstarted
    }
    if (range.key !== undefined || range.unstarted === 0) this.#dropFirst()
    return range
  }

  /** What `take` gave of this key has ended: the next of it may start. */
  ended(key: string): void {
    const next = this.#lines.get(key)?.shift()
    if (next === undefined) this.#lines.delete(key)
    else {
      this.behind -= next.unstarted
      this.#ranges.push(next)
    }
  }

  /** Takes one message out of its range, wherever that stands. Answers whether it was unstarted. */
  withdraw(range: HeldRange, index: number): boolean {
    if (!range.withdraw(index)) return false
    this.size--
    const at = this.#ranges.indexOf(range, this.#head)
    if (at < 0) this.#withdrawnBehind(range)
    else if (range.unstarted === 0) {
      this.#ranges.splice(at, 1)
      if (range.key !== undefined) this.ended(range.key)
    }
    return true
  }

  #withdrawnBehind({ key, unstarted }: HeldRange): void {
    this.behind--
    const line = key === undefined ? undefined : this.#lines.get(key)
    if (unstarted > 0 || line === undefined) return
    this.#lines.set(
      key as string,
      line.filter((range) => range.unstarted > 0),
    )
  }

  /** Takes out all that stands behind the message of this key that runs. */
  takeLine(key: string): HeldRange[] {
    const line = this.#lines.get(key)?.splice(0) ?? []
    for (const range of line) {
      this.size -= range.unstarted
      this.behind -= range.unstarted
    }
    return line
  }

  /** Takes out all ranges that `which` picks, and what stands behind one of them: a line is given back whole or it would be overtaken. */
  takeOut(which: (range: HeldRange) => boolean): HeldRange[] {
    const out: HeldRange[] = []
    const kept: HeldRange[] = []
    const lines: HeldRange[] = []
    for (let i = this.#head; i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as HeldRange
      if (!which(range)) {
        kept.push(range)
        continue
      }
      out.push(range)
      if (range.key === undefined) continue
      lines.push(...this.takeLine(range.key))
      this.#lines.delete(range.key)
    }
    this.#ranges = kept
    this.#head = 0
    for (const range of out) this.size -= range.unstarted
    for (const [key, line] of this.#lines) if (line.some(which)) lines.push(...this.takeLine(key))
    return [...out, ...lines]
  }

  #dropFirst(): void {
    this.#head++
    if (this.#head < 64 || this.#head * 2 < this.#ranges.length) return
    this.#ranges = this.#ranges.slice(this.#head)
    this.#head = 0
  }
}
