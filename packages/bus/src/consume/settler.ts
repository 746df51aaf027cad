/**
 * What became of the messages of one session, until Redis confirmed it.
 *
 * 1. A run ends: `done`, `tell` or `release` puts it here.
 * 2. `take` makes the next request's part of it, a shipment.
 * 3. The reply, or a sync, says whether the shipment happened: `confirm`, or `giveBack`, after which the next shipment has it again.
 *
 * `unconfirmed` messages are all that the session's leases hold: those that have not ended (`unended`: unstarted or running), those that ended and wait
 * to be sent (`unsent`), and those in shipments under way. What publishes goes as a unit: what belongs to it is in one shipment, or in none.
 */
import type { LeasePart, Settle, StagedPublish } from '@busway/lua'
import { Acks } from './acks.js'
import { type HeldRange, Progress } from './held-range.js'
import {
  type Ended,
  leasePart,
  type Part,
  publishes,
  type SettleSink,
  type SettleUnit,
  saidBytes,
  Together,
  type Told,
  unitOf,
} from './settle-unit.js'

/**
 * Bounds of one request, so that no script runs long: outcomes of single messages, and about as many bytes said with them, and with units. A unit that
 * is larger goes by itself.
 */
const RECORDS = 500
const SAID_BYTES = 1024 * 1024
const UNIT_BYTES = 1024 * 1024

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
  readonly units: readonly SettleUnit[]
}

export interface SettlerListener {
  /** Redis has settled all of the range. */
  rangeSettled(range: HeldRange): void
  /** Called only for runs that were handed over with `ended`. */
  confirmed(ended: Ended): void
}

export class Settler implements SettleSink {
  unconfirmed = 0
  unsent = 0
  /** The session ended: nothing can be settled any more. */
  isLost = false

  readonly #listener: SettlerListener
  readonly #acks = new Acks()
  #told: Told[] = []
  /** Apart, since a full Redis refuses them alone. */
  #publishing: SettleUnit[] = []
  /** Batches that publish and have not ended. */
  readonly #together = new Set<Together>()
  /** Messages that ended and wait for others of their batch. */
  #waiting = 0
  #released: Part[] = []
  #publishingHeld = false
  #shipped = 0
  /** Ranges held that were held before. */
  #again = 0

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
    return this.unsent - this.keptBack
  }

  /** Messages that ended and can't be settled yet. */
  get keptBack(): number {
    return this.heldBack + this.#waiting
  }

  /** Those that a full Redis keeps from being settled. */
  get heldBack(): number {
    return this.#publishingHeld ? sizeOf(this.#publishing) : 0
  }

  add(range: HeldRange): void {
    this.unconfirmed += range.unconfirmed
    if (range.again && range.unconfirmed > 0) this.#again++
    if (range.unconfirmed === 0) this.#listener.rangeSettled(range)
  }

  /** The message is done, and there is nothing to say about it. */
  done(range: HeldRange, index: number, ended?: Ended): void {
    this.unsent++
    this.#acks.add(range, index, ended)
  }

  tell(range: HeldRange, index: number, settle: Settle, ended?: Ended): void {
    range.progress[index] = Progress.told
    this.unsent++
    this.#add({ range, index, settle, ended })
  }

  /** For the messages of a batch that publishes: what is told to the sink is sent when all of them have ended, in one request with what they publish. */
  together(members: number, staged: readonly StagedPublish[]): Together {
    const together = new Together(members, staged, {
      waits: () => {
        this.unsent++
        this.#waiting++
      },
      complete: (completed, waited, unit, told) => {
        if (this.isLost) return
        this.#together.delete(completed)
        this.#waiting -= waited
        if (unit !== undefined) this.#publishing.push(unit)
        for (const each of told) this.#add(each)
      },
      later: this,
    })
    this.#together.add(together)
    return together
  }

  /** Time is up: batches do not wait for messages of theirs that hang. */
  hurry(): void {
    for (const together of [...this.#together]) together.hurry()
  }

  #add(told: Told): void {
    if (publishes(told.settle)) this.#publishing.push(unitOf(told))
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
    const acked = this.#acks.take()
    const units = this.#publishingHeld ? [] : this.#takeUnits()
    const published = units.flatMap((unit) => unit.told)
    const told = this.#told.splice(0, this.#sayable(RECORDS - published.length))
    const released = this.#released
    this.#released = []
    let size = told.length + sizeOf(units)
    for (const { count } of acked) size += count
    for (const { count } of released) size += count
    this.#shipped += size
    this.unsent -= size
    return {
      acks: [...acked, ...units.flatMap(({ done }) => done)].map(leasePart),
      releases: released.map(leasePart),
      settles: [...told, ...published].map(({ settle }) => settle),
      publishing: units.length > 0,
      size,
      acked,
      released,
      told,
      units,
    }
  }

  /** How many of at most `most` outcomes one request may have: one in any case. */
  #sayable(most: number): number {
    let bytes = 0
    for (let i = 0; i < this.#told.length; i++) {
      if (i >= most) return i
      const { settle } = this.#told[i] as Told
      bytes += saidBytes(settle)
      if (i > 0 && bytes > SAID_BYTES) return i
    }
    return this.#told.length
  }

  /** As many as one request may have, but one at least. */
  #takeUnits(): SettleUnit[] {
    let count = 0
    let records = 0
    let bytes = 0
    for (const unit of this.#publishing) {
      records += unit.told.length
      bytes += unit.bytes
      if (count > 0 && (records > RECORDS || bytes > UNIT_BYTES)) break
      count++
    }
    return this.#publishing.splice(0, count)
  }

  /** Redis applied the request. */
  confirm({ acked, released, told, units, size }: Shipment): void {
    this.#shipped -= size
    this.unconfirmed -= size
    for (const part of acked) {
      this.#settled(part)
      this.#acks.confirmed(part, (ended) => this.#listener.confirmed(ended))
    }
    for (const part of released) this.#settled(part)
    this.#confirmTold(told)
    for (const unit of units) {
      for (const part of unit.done) this.#settled(part)
      for (const ended of unit.ended) this.#listener.confirmed(ended)
      this.#confirmTold(unit.told)
    }
  }

  #confirmTold(told: readonly Told[]): void {
    for (const { range, index, ended } of told) {
      this.#settled({ range, index, count: 1 })
      if (ended !== undefined) this.#listener.confirmed(ended)
    }
  }

  /** Redis did not apply the request: all of it is to be sent again, before what came later. */
  giveBack({ acked, released, told, units, size }: Shipment): void {
    this.#shipped -= size
    this.unsent += size
    this.#acks.giveBack(acked)
    this.#released = [...released, ...this.#released]
    this.#publishing = [...units, ...this.#publishing]
    this.#told = [...told, ...this.#told]
  }

  /** The session is over before the request was answered: it may have been applied. */
  doubt({ acked, told, units }: Shipment): void {
    this.#acks.doubt(acked)
    for (const { ended } of [...told, ...units.flatMap((unit) => unit.told)]) {
      if (ended !== undefined) ended.isUnanswered = true
    }
    for (const unit of units) for (const ended of unit.ended) ended.isUnanswered = true
  }

  /** The session is over: tells what will not be confirmed any more. Answers how many messages had ended; releases are none. */
  lose(refused: (ended: Ended) => void): number {
    this.isLost = true
    const count = this.#acks.lose(refused) + this.#told.length + sizeOf(this.#publishing) + this.#waiting
    for (const { told, ended } of [{ told: this.#told, ended: [] }, ...this.#publishing]) {
      for (const each of told) if (each.ended !== undefined) refused(each.ended)
      for (const each of ended) refused(each)
    }
    for (const together of this.#together) for (const ended of together.ended()) refused(ended)
    this.#told = []
    this.#publishing = []
    this.#together.clear()
    this.#waiting = 0
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
}

const sizeOf = (units: readonly SettleUnit[]): number => units.reduce((sum, { size }) => sum + size, 0)
