/** What goes to Redis in one request or not at all: the settle of a run that publishes, or all settles of a batch that does. */
import type { LeasePart, Settle, StagedPublish } from '@busway/lua'
import type { Outcome } from '../api/index.js'
import { type HeldRange, Progress } from './held-range.js'
import type { Run } from './run.js'

/** What an observer of `settled` will be told once it is confirmed. */
export interface Ended {
  readonly run: Run
  readonly outcome: Outcome
  readonly runMs: number
  /** It was sent, and its session is over before it was answered. */
  isUnanswered?: boolean
}

/** Takes what became of messages. */
export interface SettleSink {
  /** The message is done, and there is nothing to say about it. */
  done(range: HeldRange, index: number, ended?: Ended): void
  /** It has an outcome that says something. */
  tell(range: HeldRange, index: number, settle: Settle, ended?: Ended): void
}

/** An outcome that says something, of one message. */
export interface Told {
  readonly range: HeldRange
  readonly index: number
  readonly settle: Settle
  readonly ended: Ended | undefined
}

/** Neighbours in a range. */
export interface Part {
  readonly range: HeldRange
  readonly index: number
  readonly count: number
}

export interface SettleUnit {
  readonly told: readonly Told[]
  /** Done, with nothing to say about them. */
  readonly done: readonly Part[]
  /** What observers of `done` will be told. */
  readonly ended: readonly Ended[]
  /** Said and published with them. */
  readonly bytes: number
  /** In messages. */
  readonly size: number
}

export const publishes = (settle: Settle): boolean => settle.outcome === 'done' && (settle.staged?.length ?? 0) > 0

export const unitOf = (told: Told): SettleUnit => ({
  told: [told],
  done: [],
  ended: [],
  bytes: bytesOf(told.settle),
  size: 1,
})

export interface TogetherHost {
  /** A message ended and waits for the others. */
  waits(): void
  /** `waited` of them do no longer: they are sent as a unit, if there is one, or each by itself. */
  complete(together: Together, waited: number, unit: SettleUnit | undefined, told: readonly Told[]): void
  /** For what ends after that. */
  readonly later: SettleSink
}

interface Done {
  readonly range: HeldRange
  readonly index: number
  readonly ended: Ended | undefined
}

/** Collects what becomes of a batch's messages, until all have ended. What the batch publishes goes with the first that is done; if none is, it is not published. */
export class Together implements SettleSink {
  readonly #host: TogetherHost
  readonly #members: number
  readonly #staged: readonly StagedPublish[]
  readonly #done: Done[] = []
  readonly #told: Told[] = []
  #isComplete = false

  constructor(members: number, staged: readonly StagedPublish[], host: TogetherHost) {
    this.#members = members
    this.#staged = staged
    this.#host = host
  }

  done(range: HeldRange, index: number, ended?: Ended): void {
    if (this.#isComplete) {
      this.#host.later.done(range, index, ended)
      return
    }
    range.progress[index] = Progress.told
    this.#done.push({ range, index, ended })
    this.#waits()
  }

  tell(range: HeldRange, index: number, settle: Settle, ended?: Ended): void {
    if (this.#isComplete) {
      this.#host.later.tell(range, index, settle, ended)
      return
    }
    range.progress[index] = Progress.told
    this.#told.push({ range, index, settle, ended })
    this.#waits()
  }

  /** Waits no longer for those that have not ended: they hang, and there is no more time. */
  hurry(): void {
    if (this.#done.length > 0 || this.#told.some(({ settle }) => settle.outcome === 'done')) this.#complete()
  }

  /** Those that ended, for observers. */
  *ended(): Iterable<Ended> {
    for (const { ended } of [...this.#done, ...this.#told]) if (ended !== undefined) yield ended
  }

  #waits(): void {
    this.#host.waits()
    if (this.#done.length + this.#told.length === this.#members) this.#complete()
  }

  #complete(): void {
    if (this.#isComplete) return
    this.#isComplete = true
    const waited = this.#done.length + this.#told.length
    if (!this.#carry()) {
      this.#host.complete(this, waited, undefined, this.#told)
      return
    }
    const unit = {
      told: this.#told,
      done: partsOf(this.#done),
      ended: this.#done.flatMap(({ ended }) => ended ?? []),
      bytes: this.#told.reduce((sum, { settle }) => sum + bytesOf(settle), 0),
      size: waited,
    }
    this.#host.complete(this, waited, unit, [])
  }

  /** Gives the publishes to a message that is done. Answers whether there is one. */
  #carry(): boolean {
    const at = this.#told.findIndex(({ settle }) => settle.outcome === 'done')
    const told = this.#told[at]
    if (told?.settle.outcome === 'done') {
      const staged = [...(told.settle.staged ?? []), ...this.#staged]
      this.#told[at] = { ...told, settle: { ...told.settle, staged } }
      return true
    }
    const done = this.#done.shift()
    if (done === undefined) return false
    const { range, index, ended } = done
    const settle: Settle = { lease: range.lease, index: range.from + index, outcome: 'done', staged: this.#staged }
    this.#told.push({ range, index, settle, ended })
    return true
  }
}

/** As few parts as can be. */
function partsOf(done: readonly Done[]): Part[] {
  const indexes = new Map<HeldRange, number[]>()
  for (const { range, index } of done) {
    const ofRange = indexes.get(range)
    if (ofRange === undefined) indexes.set(range, [index])
    else ofRange.push(index)
  }
  const parts: Part[] = []
  for (const [range, ofRange] of indexes) {
    ofRange.sort((a, b) => a - b)
    let first = 0
    for (let i = 1; i <= ofRange.length; i++) {
      const index = ofRange[first] as number
      if (ofRange[i] === index + i - first) continue
      parts.push({ range, index, count: i - first })
      first = i
    }
  }
  return parts
}

export const leasePart = ({ range, index, count }: Part): LeasePart =>
  index === 0 && count === range.count
    ? { lease: range.lease }
    : { lease: range.lease, from: range.from + index, count }

function bytesOf(settle: Settle): number {
  let bytes = saidBytes(settle)
  if (settle.outcome === 'done') for (const { batch } of settle.staged ?? []) bytes += batch.value.byteLength
  return bytes
}

/** About as many, of what it says by itself. */
export const saidBytes = (settle: Settle): number =>
  (settle.outcome === 'done' ? settle.result : settle.error)?.length ?? 0
