/** Leases come in replies, and on another connection in pushes. Here they are put in the order in which Redis gave them, which is that of their numbers. */
import type { FetchedRange } from '@busway/lua'

/** `solo`: they run alone. */
export interface Arrived {
  readonly ranges: readonly FetchedRange[]
  readonly solo: boolean
}

const nothing: readonly Arrived[] = []

export class LeaseOrder {
  /** All up to here have arrived. */
  #last = 0
  /** All up to here have been given, as far as is known. */
  #given = 0
  /** Beyond a gap. */
  readonly #early = new Map<number, Arrived>()

  /** The last lease that has arrived with all before it. */
  get last(): number {
    return this.#last
  }

  /** Something that Redis gave has not arrived. */
  get isMissing(): boolean {
    return this.#last < this.#given
  }

  /** `given`: the last lease of all when these were given. Answers those whose turn it is, in their order. What has arrived before is left out. */
  arrive(arrived: Arrived, given: number): readonly Arrived[] {
    this.#given = Math.max(this.#given, given)
    const { ranges } = arrived
    if (this.#early.size === 0 && (ranges.length === 0 || ranges[0]?.lease === this.#last + 1)) {
      this.#last += ranges.length
      return ranges.length === 0 ? nothing : [arrived]
    }
    for (const range of ranges) this.keep(range, arrived.solo)
    const due: Arrived[] = []
    for (let next = this.#early.get(this.#last + 1); next !== undefined; next = this.#early.get(this.#last + 1)) {
      this.#last++
      this.#early.delete(this.#last)
      due.push(next)
    }
    return due
  }

  /** For later, when it will be known what else was given. */
  keep(range: FetchedRange, solo = false): void {
    if (range.lease > this.#last) this.#early.set(range.lease, { ranges: [range], solo })
  }

  /** Redis has told all that it had given, up to this lease. */
  synchronized(last: number): void {
    this.#last = last
    this.#given = last
    for (const lease of this.#early.keys()) if (lease <= last) this.#early.delete(lease)
  }
}
