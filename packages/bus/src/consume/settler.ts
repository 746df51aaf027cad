/**
 * What became of the messages of one session, until Redis confirmed it.
 *
 * 1. A run ends: `done`, `tell` or `release` puts it here.
 * 2. `take` makes the next request's part of it, a shipment.
 * 3. The reply, or a sync, says whether the shipment happened: `confirm`, or `giveBack`, after which the next shipment has it again.
 *
 * `unconfirmed` messages are all that the session's leases hold: those that have not ended (`unended`: unstarted or running), those that ended and wait
 * to be sent (`unsent`), and those in shipments under way.
 */
import type { LeasePart, Settle } from '@busway/lua'
import type { Outcome } from '../api/index.js'
import { type HeldRange, Progress } from './held-range.js'
import type { Run } from './run.js'

/** Bounds of one request, so that no script runs long: outcomes of single messages, and bytes published with them. */
const RECORDS = 500
const STAGED_BYTES = 1024 * 1024

/** What an observer of `settled` will be told once it is confirmed. */
export interface Ended {
  readonly run: Run
  readonly outcome: Outcome
  readonly runMs: number
}

/** An outcome that says something, of one message. */
interface Told {
  readonly range: HeldRange
  readonly index: number
  readonly settle: Settle
  readonly stagedBytes: number
  readonly ended: Ended | undefined
}

interface Part {
  readonly range: HeldRange
  readonly index: number
  readonly count: number
}

export interface Shipment {
  readonly acks: readonly LeasePart[]
  readonly releases: readonly LeasePart[]
  readonly settles: readonly Settle[]
  /** Publishes with its settles, so Redis may refuse it when memory is full. */
  readonly publishing: boolean
  /** In messages. */
  readonly size: number
  readonly acked: readonly Part[]
  readonly released: readonly Part[]
  readonly told: readonly Told[]
}

export interface SettlerListener {
  /** Redis has settled all of the range. */
  rangeSettled(range: HeldRange): void
  /** Called only for runs that were handed over with `ended`. */
  confirmed(ended: Ended): void
}

export class Settler {
  unconfirmed = 0
  unsent = 0
  /** The session ended: nothing can be settled any more. */
  isLost = false

  readonly #listener: SettlerListener
  /** Ranges with messages in `Progress.done`. */
  #finished: HeldRange[] = []
  #told: Told[] = []
  /** Those of `#told` that publish: apart, since a full Redis refuses them alone. */
  #publishing: Told[] = []
  #released: Part[] = []
  #publishingHeld = false
  #shipped = 0
  /** Ranges held that were held before. */
  #again = 0
  #observed = new Map<HeldRange, Map<number, Ended>>()

  constructor(listener: SettlerListener) {
    this.#listener = listener
  }

  get unended(): number {
    return this.unconfirmed - this.unsent - this.#shipped
  }

  /** Ended, and Redis has not confirmed it. Without what it refuses for lack of memory: that may last. */
  get unconfirmedEnds(): number {
    return this.unsent + this.#shipped - this.heldBack
  }

  /**
   * Messages are held that ran before under a session that ended, perhaps for one of them. Recovery takes the first `concurrency` messages that a dead
   * session had not settled for those that were running, and counts a crash for each. A fast handler is hundreds of messages past its last confirmed
   * settle, so the guilty would be missed, crash after crash. Where this is true, a message starts only while those that run or wait for their
   * confirmation are fewer than `concurrency`.
   */
  get isAtRisk(): boolean {
    return this.#again > 0
  }

  /** What the next shipment has, if bounds allow. */
  get sendable(): number {
    return this.unsent - this.heldBack
  }

  /** Messages that ended and that a full Redis keeps from being settled. */
  get heldBack(): number {
    return this.#publishingHeld ? this.#publishing.length : 0
  }

  add(range: HeldRange): void {
    this.unconfirmed += range.unconfirmed
    if (range.again && range.unconfirmed > 0) this.#again++
    if (range.unconfirmed === 0) this.#listener.rangeSettled(range)
  }

  /** The message is done, and there is nothing to say about it. */
  done(range: HeldRange, index: number, ended?: Ended): void {
    range.progress[index] = Progress.done
    this.unsent++
    if (range.done++ === 0) this.#finished.push(range)
    if (ended === undefined) return
    const ofRange = this.#observed.get(range) ?? new Map<number, Ended>()
    ofRange.set(index, ended)
    this.#observed.set(range, ofRange)
  }

  tell(range: HeldRange, index: number, settle: Settle, ended?: Ended): void {
    range.progress[index] = Progress.told
    this.unsent++
    const stagedBytes = settle.outcome === 'done' ? sizeOf(settle) : 0
    const told: Told = { range, index, settle, stagedBytes, ended }
    const publishes = settle.outcome === 'done' && settle.staged !== undefined && settle.staged.length > 0
    if (publishes) this.#publishing.push(told)
    else this.#told.push(told)
  }

  /** Gives back what was not started. */
  release(range: HeldRange): number {
    const released = range.unstarted
    this.unsent += released
    range.takeUnstarted((index, count) => {
      range.progress.fill(Progress.told, index, index + count)
      this.#released.push({ range, index, count })
    })
    return released
  }

  /** While held, settles that publish wait, and the others go on. */
  holdPublishing(held: boolean): void {
    this.#publishingHeld = held
  }

  take(): Shipment {
    const acked: Part[] = []
    const acks: LeasePart[] = []
    for (const range of this.#finished) takeFinished(range, acked, acks)
    this.#finished = []

    const told = this.#told.splice(0, RECORDS)
    let bytes = 0
    let publishing = 0
    if (!this.#publishingHeld) {
      for (const { stagedBytes } of this.#publishing) {
        if (told.length + publishing >= RECORDS || (publishing > 0 && bytes + stagedBytes > STAGED_BYTES)) break
        bytes += stagedBytes
        publishing++
      }
    }
    if (publishing > 0) told.push(...this.#publishing.splice(0, publishing))

    const released = this.#released
    this.#released = []
    let size = told.length
    for (const { count } of acked) size += count
    for (const { count } of released) size += count
    this.#shipped += size
    this.unsent -= size
    return {
      acks,
      releases: released.map(leasePart),
      settles: told.map(({ settle }) => settle),
      publishing: publishing > 0,
      size,
      acked,
      released,
      told,
    }
  }

  /** Redis applied the request. */
  confirm({ acked, released, told, size }: Shipment): void {
    this.#shipped -= size
    this.unconfirmed -= size
    for (const part of acked) {
      this.#settled(part)
      this.#tellObserver(part)
    }
    for (const part of released) this.#settled(part)
    for (const { range, index, ended } of told) {
      this.#settled({ range, index, count: 1 })
      if (ended !== undefined) this.#listener.confirmed(ended)
    }
  }

  /** Redis did not apply the request: all of it is to be sent again, before what came later. */
  giveBack({ acked, released, told, size }: Shipment): void {
    this.#shipped -= size
    this.unsent += size
    for (const { range, index, count } of acked) {
      range.progress.fill(Progress.done, index, index + count)
      if (range.done === 0) this.#finished.push(range)
      range.done += count
    }
    this.#released = [...released, ...this.#released]
    const publishes = (each: Told): boolean => each.settle.outcome === 'done' && each.settle.staged !== undefined
    this.#publishing = [...told.filter(publishes), ...this.#publishing]
    this.#told = [...told.filter((each) => !publishes(each)), ...this.#told]
  }

  /** The session is over: tells what will not be confirmed any more. Answers how many messages had ended; releases are none. */
  lose(refused: (ended: Ended) => void): number {
    this.isLost = true
    let count = this.#told.length + this.#publishing.length
    for (const { ended } of [...this.#told, ...this.#publishing]) if (ended !== undefined) refused(ended)
    for (const range of this.#finished) count += range.done
    for (const ofRange of this.#observed.values()) for (const ended of ofRange.values()) refused(ended)
    this.#observed.clear()
    this.#finished = []
    this.#told = []
    this.#publishing = []
    this.#released = []
    this.unsent = 0
    return count
  }

  #settled({ range, index, count }: Part): void {
    range.progress.fill(Progress.settled, index, index + count)
    range.unconfirmed -= count
    if (range.unconfirmed > 0) return
    if (range.again) this.#again--
    this.#listener.rangeSettled(range)
  }

  #tellObserver({ range, index, count }: Part): void {
    const ofRange = this.#observed.get(range)
    if (ofRange === undefined) return
    for (let i = index; i < index + count; i++) {
      const ended = ofRange.get(i)
      if (ended === undefined) continue
      ofRange.delete(i)
      this.#listener.confirmed(ended)
    }
    if (ofRange.size === 0) this.#observed.delete(range)
  }
}

function takeFinished(range: HeldRange, parts: Part[], acks: LeasePart[]): void {
  const { progress, count, lease } = range
  if (range.done === count) {
    progress.fill(Progress.acking)
    parts.push({ range, index: 0, count })
    acks.push({ lease })
  } else {
    let first = -1
    for (let index = 0; index <= count; index++) {
      const done = index < count && progress[index] === Progress.done
      if (done && first < 0) first = index
      if (!done && first >= 0) {
        const part = { range, index: first, count: index - first }
        progress.fill(Progress.acking, first, index)
        parts.push(part)
        acks.push(leasePart(part))
        first = -1
      }
    }
  }
  range.done = 0
}

const leasePart = ({ range, index, count }: Part): LeasePart =>
  index === 0 && count === range.count
    ? { lease: range.lease }
    : { lease: range.lease, from: range.from + index, count }

function sizeOf(settle: Settle & { outcome: 'done' }): number {
  let bytes = 0
  for (const { batch } of settle.staged ?? []) bytes += batch.value.byteLength
  return bytes
}
