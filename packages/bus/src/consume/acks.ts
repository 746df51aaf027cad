/** Messages that are done without anything to say about them: kept as marks in their ranges, and sent as few parts as can be. */
import { type HeldRange, Progress } from './held-range.js'
import type { Ended, Part } from './settle-unit.js'

export class Acks {
  /** Ranges with messages in `Progress.done`. */
  #finished: HeldRange[] = []
  /** By range and position. */
  readonly #observed = new Map<HeldRange, (Ended | undefined)[]>()

  add(range: HeldRange, index: number, ended: Ended | undefined): void {
    range.progress[index] = Progress.done
    if (range.done++ === 0) this.#finished.push(range)
    if (ended === undefined) return
    let ofRange = this.#observed.get(range)
    if (ofRange === undefined) {
      ofRange = new Array(range.count).fill(undefined)
      this.#observed.set(range, ofRange)
    }
    ofRange[index] = ended
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
      const ended = ofRange[i]
      if (ended === undefined) continue
      ofRange[i] = undefined
      tell(ended)
    }
    if (count === range.count || ofRange.every((ended) => ended === undefined)) this.#observed.delete(range)
  }

  /** They were sent, and will not be answered any more. */
  doubt(parts: readonly Part[]): void {
    for (const { range, index, count } of parts) {
      const ofRange = this.#observed.get(range)
      for (let i = index; i < index + count; i++) {
        const ended = ofRange?.[i]
        if (ended !== undefined) ended.isUnanswered = true
      }
    }
  }

  /** None will be confirmed any more. Answers how many were not sent. */
  lose(refused: (ended: Ended) => void): number {
    let count = 0
    for (const range of this.#finished) count += range.done
    for (const ofRange of this.#observed.values()) for (const ended of ofRange) if (ended !== undefined) refused(ended)
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
