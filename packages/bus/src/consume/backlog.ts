/**
 * Messages held and not started, in the order in which they run. Of messages with one ordering key only the first may start, and no other before it has
 * ended: they stand in a line of their own, and the line's first range among the others.
 *
 * A range whose messages have keys of their own stands among the others as one without keys: Redis gives it when nothing else of them is out. That of them
 * something is held all the same, by a lease that is lost and a handler that has not returned, is the exception: then it waits until they have ended.
 */
import type { HeldRange } from './held-range.js'

/** The line of a key that has nothing in it. Shared, since most have not. */
const NOBODY: HeldRange[] = []

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
  /** A range whose messages have keys of their own -> those that others have yet. */
  readonly #blocked = new Map<HeldRange, Set<string>>()

  /** The range that the next message is of. */
  get first(): HeldRange | undefined {
    return this.#ranges[this.#head]
  }

  push(range: HeldRange): void {
    if (range.unstarted === 0) return
    this.size += range.unstarted
    if (range.keys !== undefined) {
      if (!this.#claim(range, range.keys)) return
    } else if (range.key !== undefined) {
      if (this.#joinLine(range, range.key)) return
      this.#lines.set(range.key, NOBODY)
    }
    this.#ranges.push(range)
  }

  /** Whether all keys of the range are its own now. */
  #claim(range: HeldRange, keys: readonly string[]): boolean {
    const taken = new Set<string>()
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string
      if (!range.isUnstarted(index)) continue
      if (this.#lines.has(key)) taken.add(key)
      else this.#lines.set(key, NOBODY)
    }
    if (taken.size === 0) return true
    this.#blocked.set(range, taken)
    this.behind += range.unstarted
    return false
  }

  #joinLine(range: HeldRange, key: string): boolean {
    const line = this.#lines.get(key)
    if (line === undefined) return false
    if (line === NOBODY) this.#lines.set(key, [range])
    else line.push(range)
    this.behind += range.unstarted
    return true
  }

  /** The next message: its range; `index` says which. With a key, `ended` must follow. */
  take(): HeldRange | undefined {
    const range = this.#ranges[this.#head]
    if (range === undefined) return undefined
    this.index = range.takeNext()
    this.size--
    const { key } = range
    if (key !== undefined && range.unstarted > 0) {
      const line = this.#lines.get(key) ?? NOBODY
      if (line === NOBODY) this.#lines.set(key, [range])
      else line.unshift(range)
      this.behind += range.unstarted
    }
    if (key !== undefined || range.unstarted === 0) this.#dropFirst()
    return range
  }

  /** What `take` gave of this key has ended: the next of it may start. */
  ended(key: string): void {
    const next = this.#lines.get(key)?.shift()
    if (next !== undefined) {
      this.behind -= next.unstarted
      this.#ranges.push(next)
      return
    }
    this.#lines.delete(key)
    if (this.#blocked.size > 0) this.#unblock(key)
  }

  /** Of those that need the key the first has it. */
  #unblock(key: string): void {
    for (const [range, taken] of this.#blocked) {
      if (!taken.delete(key)) continue
      this.#lines.set(key, NOBODY)
      if (taken.size > 0) return
      this.#blocked.delete(range)
      this.behind -= range.unstarted
      if (range.unstarted > 0) this.#ranges.push(range)
      return
    }
  }

  /** Takes one message out of its range, wherever that stands. Answers whether it was unstarted. */
  withdraw(range: HeldRange, index: number): boolean {
    if (!range.withdraw(index)) return false
    this.size--
    const at = this.#ranges.indexOf(range, this.#head)
    if (at < 0) this.#withdrawnBehind(range)
    else if (range.unstarted === 0) this.#ranges.splice(at, 1)
    if (range.keys !== undefined) this.#leave(range, range.keys[index] as string)
    else if (at >= 0 && range.unstarted === 0 && range.key !== undefined) this.ended(range.key)
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

  /** A message of the range that has not started does not need its key any more. */
  #leave(range: HeldRange, key: string): void {
    if (this.#blocked.get(range)?.delete(key) !== true) this.ended(key)
    else if (this.#blocked.get(range)?.size === 0) {
      this.#blocked.delete(range)
      this.behind -= range.unstarted
      if (range.unstarted > 0) this.#ranges.push(range)
    }
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
    for (const [range, taken] of this.#blocked) {
      if (!which(range)) continue
      this.#blocked.delete(range)
      this.behind -= range.unstarted
      out.push(range)
      lines.push(...this.#freeKeys(range, taken))
    }
    for (let i = this.#head; i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as HeldRange
      if (!which(range)) {
        kept.push(range)
        continue
      }
      out.push(range)
      lines.push(...this.#freeKeys(range))
    }
    this.#ranges = kept
    this.#head = 0
    for (const range of out) this.size -= range.unstarted
    for (const [key, line] of this.#lines) if (line.some(which)) lines.push(...this.takeLine(key))
    return [...out, ...lines]
  }

  /** The keys of what is taken out are nobody's, `but` those that were not its own. Answers what stood behind it. */
  #freeKeys(range: HeldRange, but?: ReadonlySet<string>): HeldRange[] {
    const behind: HeldRange[] = []
    const keys = range.keys?.filter((key, index) => range.isUnstarted(index) && but?.has(key) !== true)
    for (const key of keys ?? (range.key === undefined ? [] : [range.key])) {
      behind.push(...this.takeLine(key))
      this.#lines.delete(key)
      if (this.#blocked.size > 0) this.#unblock(key)
    }
    return behind
  }

  #dropFirst(): void {
    this.#head++
    if (this.#head < 64 || this.#head * 2 < this.#ranges.length) return
    this.#ranges = this.#ranges.slice(this.#head)
    this.#head = 0
  }
}
