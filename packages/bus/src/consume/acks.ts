/** Messages that are done without anything to say about them: kept as marks in their ranges, and sent as few parts as can be. */
import { type HeldRange, Progress } from './held-range.js'
import type { Ended, Part } from './settle-unit.js'

export class Acks {
  /** Ranges with messages in `Progress.done`. */
  #finished: HeldRange[] = []
  readonly #observed = new Map<HeldRange, Map<number, Ended>>()

  add(range: HeldRange, index: number, ended: Ended | undefined): void {
    range.progress[index] = Progress.done
    if (range.done++ === 0) this.#finished.push(range)
    if (ended === undefined) return
    const ofRange = this.#observed.get(range) ?? new Map<number, Ended>()
    ofRange.set(index, ended)
    this.#observed.set(range, ofRange)
  }

  take(): Part[] {
    const parts: Part[] = []
    for (const range of this.#finished) takeFinished(range, parts)
    this.#finished = []
    return parts
  }

  /** They were not sent. */
  giveBack(parts: readonly Part[]): void {
    for (const { range, index, count } of parts) {
      range.progress.fill(Progress.done, index, index + count)
      if (range.done === 0) this.#finished.push(range)
      range.done += count
    }
  }

  confirmed({ range, index, count }: Part, tell: (ended: Ended) => void): void {
    const ofRange = this.#observed.get(range)
    if (ofRange === undefined) return
    for (let i = index; i < index + count; i++) {
      const ended = ofRange.get(i)
      if (ended === undefined) continue
      ofRange.delete(i)
      tell(ended)
    }
    if (ofRange.size === 0) this.#observed.delete(range)
  }

  /** None will be confirmed any more. Answers how many were not sent. */
  lose(refused: (ended: Ended) => void): number {
    let count = 0
    for (const range of this.#finished) count += range.done
    for (const ofRange of this.#observed.values()) for (const ended of ofRange.values()) refused(ended)
    this.#observed.clear()
    this.#finished = []
    return count
  }
}

function takeFinished(range: HeldRange, parts: Part[]): void {
  const { progress, count } = range
  if (range.done === count) {
    progress.fill(Progress.acking)
    parts.push({ range, index: 0, count })
  } else {
    let first = -1
    for (let index = 0; index <= count; index++) {
      const done = index < count && progress[index] === Progress.done
      if (done && first < 0) first = index
      if (!done && first >= 0) {
        progress.fill(Progress.acking, first, index)
        parts.push({ range, index: first, count: index - first })
        first = -1
      }
    }
  }
  range.done = 0
}
