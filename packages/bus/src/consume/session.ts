/**
 * One consumer session: the client's side of `open`, `advance`, `sync` and `close` (PROTOCOL: docs/data-model.md).
 * Its requests are sent in requests.ts, it waits and syncs in healing.ts, it is closed in release.ts; what they await is in the table below.
 *
 * 1. `open` registers it under an id of its own.
 * 2. `pump` sends an advance whenever there is a reason: something to settle, room for messages and perhaps some to take, a wake, a due time, the
 *    renewal. Requests are numbered; a few may be under way, and their replies are taken in the order of their numbers.
 * 3. The first request that is not answered with `ok` stops sending. When all under way have been answered or have failed, `#heal` decides:
 *    - `lost`: the session ends; whoever owns it opens another.
 *    - refused by Redis before it wrote anything: the same number again, after a pause or a reload.
 *    - anything else: `sync` with the next epoch. It fences off requests that are still on their way, and says which were applied: what they settled
 *      happened, the rest is sent again, and what Redis holds for this session without the client knowing is run.
 *
 * What if, at each await:
 *
 * | await                | the process dies                     | the reply is lost                         | close() is called meanwhile                    |
 * | -------------------- | ------------------------------------ | ----------------------------------------- | ---------------------------------------------- |
 * | open                 | the session, empty, ends with its    | opened again under the same id:           | the try goes on to its end, then close removes |
 * |                      | lease                                | repeatable while it holds nothing         | the session                                    |
 * | advance (requests)   | what it fetched is released by       | #heal syncs: applied or not is known, its | close waits for it as for any under way; time  |
 * |                      | recovery; what it settled is settled | fetch comes again as `unknown`            | up: close releases all but what runs           |
 * | reload, pause (heal) | as before any request                | loading is repeatable                     | `signal` ends the pause; close waits or goes   |
 * | usable (heal)        | the lease ends, recovery releases    | -                                         | `signal` ends the waiting at time up           |
 * | sync (heal)          | as above; the epoch means nothing to | the next try has the next epoch: both may | as for usable; a sync that arrives after close |
 * |                      | other sessions                       | have been applied, the last one counts    | finds no session: `lost`, which ends it too    |
 * | close (release)      | what was not released yet is, when   | repeated; then `lost` says that it had    | shared: one close                              |
 * |                      | the lease ends                       | happened                                  |                                                |
 */
import { type AdvanceReply, type FetchedRange, type GroupRef, open, type Recovered, seen } from '@busway/lua'
import { type CancelledMessage, EarlyCancels } from './cancels.js'
import { Healing } from './healing.js'
import { HeldRange } from './held-range.js'
import { type InFlight, isUnanswered, provedByAnswers, provedBySync } from './in-flight.js'
import { type Arrived, LeaseOrder } from './lease-order.js'
import { type RunningPart, release } from './release.js'
import { Requests } from './requests.js'
import type { SessionEnd, SessionParts, Times } from './session-parts.js'
import { SessionTimers } from './session-timers.js'
import { Settler } from './settler.js'
import { retainsNothing } from './starting.js'

/** Requests under way at once. */
const MOST_IN_FLIGHT = 2
/** Settles that are worth a second request under way. */
const WORTH_A_REQUEST = 256
const OPEN_TRY_MS = 10_000
const LEFT_AGAIN_MS = 100
/** A push and a reply overtake one another by less, else the push was lost with its connection. */
const MISSING_MS = 250

export class ConsumerSession {
  readonly settler: Settler
  /** Resolves when the session is over. */
  readonly ended: Promise<SessionEnd>

  readonly #parts: SessionParts
  readonly #leases = new Map<number, HeldRange>()
  readonly #requests: Requests
  readonly #healing: Healing
  readonly #timers = new SessionTimers()
  readonly #earlyCancels = new EarlyCancels()
  #resolveEnded: (end: SessionEnd) => void = () => undefined
  #state: 'new' | 'open' | 'healing' | 'over' = 'new'
  #group = '' as GroupRef
  readonly #order = new LeaseOrder()
  /** Redis has this session among those that wait: it will be woken, and need not ask. */
  #isWaiting = false
  #isWoken = false
  #mustRenew = false
  /** Until it holds nothing it takes nothing. */
  #runsDry = false
  #lingers = false
  #times: Times = { sentMs: 0, answeredMs: 0 }
  #onIdle: (() => void)[] = []

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.settler = new Settler({
      rangeSettled: (range) => this.#leases.delete(range.lease),
      confirmed: (ended) => parts.owner.confirmed(ended, this.#times),
    })
    this.#requests = new Requests(parts, () => this.#takeAnswers())
    this.#healing = new Healing(parts, {
      known: () => ({ group: this.#group, known: [...this.#leases.keys()] }),
      holdPublishing: (held) => {
        this.settler.holdPublishing(held)
        if (!held) this.pump()
      },
      busClosed: () => this.#end('closed'),
    })
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
  }

  get id(): string {
    return this.#parts.id
  }

  /** A fetch is under way. */
  get isAsking(): boolean {
    return this.#requests.asked > 0
  }

  /** Messages that are asked for. */
  get asked(): number {
    return this.#requests.asked
  }

  /** There may be more for the room that there is: Redis is being asked, or about to be. */
  get mayBring(): boolean {
    return this.#state === 'open' && (this.isAsking || (!this.#isWaiting && this.#room() > 0))
  }

  get group(): GroupRef {
    return this.#group
  }

  /**
   * Registers the session. Resolves with whether: a topic that was deleted has to be declared first. Rejects with a BuswayError; may be called again then.
   */
  async open(): Promise<boolean> {
    const { runner, topic, id, settings, info, owner, reopened } = this.#parts
    const { group, leaseMs, concurrency, maxCrashes, deadMax, deadKeepMs, groupConcurrency: limit } = settings
    const { fromBeginning } = settings
    const { takesPushes } = this.#parts
    const own = {
      group,
      session: id,
      leaseMs,
      concurrency,
      maxCrashes,
      info,
      deadMax,
      deadKeepMs,
      fromBeginning,
      takesPushes,
    }
    const request = limit === undefined ? own : { ...own, limit, reopened }
    const reply = await runner.runRepeatable(open, topic, request, OPEN_TRY_MS)
    if (reply.deleted) return false
    if (reply.retainsNothing) throw retainsNothing(topic, group)
    if (this.#state === 'over') return true
    this.#group = reply.group
    this.#state = 'open'
    this.#timers.renewing(settings.leaseMs, () => {
      this.#mustRenew = true
      this.pump()
    })
    if (reply.recovered !== undefined) this.#recovered(reply.recovered)
    if (reply.outbox) owner.outbox()
    owner.limited(reply.limited)
    this.pump()
    return true
  }

  /** There may be work for this session. */
  wake(): void {
    this.#isWoken = true
    this.pump()
  }

  /** Redis leased a message to this session, which waited, and sent it along. What it has by now is left out. */
  pushed(range: FetchedRange): void {
    if (this.#state === 'over') return
    this.#isWaiting = false
    // Its first answer, which says what is true of the topic, may have been overtaken.
    if (this.#state !== 'open' || this.#requests.confirmed === 0) {
      this.#order.keep(range)
      return
    }
    this.#take(this.#order.arrive({ ranges: [range], solo: false }, range.lease))
    this.#watchMissing()
    // The handler may have ended by then, and what became of the message goes with the request for more.
    setImmediate(() => {
      this.pump()
      if (this.#state === 'open' && this.#requests.underWay.length === 0) this.#tellSeen(range.lease)
    })
  }

  /** It runs, so that its crash would count. A request says so as well. */
  #tellSeen(lease: number): void {
    const { runner, topic } = this.#parts
    runner.run(seen, topic, { group: this.#group, session: this.id, lease }).catch(() => undefined)
  }

  /** Somebody cancelled a message that this session has, or that is on its way here. What it has settled is none of it. */
  cancel(message: CancelledMessage): void {
    const range = this.#leases.get(message.lease)
    if (range !== undefined) this.#parts.owner.cancelled(range, message.index - range.from)
    else if (message.lease > this.#order.last && this.#state !== 'over') this.#earlyCancels.keep(message)
  }

  /** Sends what there is a reason to send. */
  pump(): void {
    while (this.#state === 'open' && this.#requests.underWay.length < MOST_IN_FLIGHT && this.#hasReason()) this.#send()
  }

  #hasReason(): boolean {
    const { settler } = this
    if (this.#requests.underWay.length === 0) {
      return this.#mustRenew || this.#isWoken || settler.sendable > 0 || (!this.#isWaiting && this.#room() > 0)
    }
    // One is under way; what it leaves can go with the next, unless it is much.
    if (this.#mustRenew) return true
    if (this.#requests.asked === 0 && (this.#isWoken || (!this.#isWaiting && this.#room() > 0))) return true
    return settler.sendable >= WORTH_A_REQUEST
  }

  /** What may be asked for, as if everything to be settled now were. */
  #room(isIdle = false): number {
    if (this.#lingers || (this.#runsDry && this.settler.unended > 0)) return 0
    return this.#parts.owner.room(this.#requests.asked, isIdle)
  }

  #send(): void {
    const shipment = this.settler.take()
    const renew = this.#mustRenew
    const want = this.#room(this.#isWaiting && !this.#isWoken)
    this.#mustRenew = false
    this.#isWoken = false
    this.#isWaiting = false
    this.#requests.send({ shipment, want, renew, group: this.#group, epoch: this.#healing.epoch })
  }

  #takeAnswers(): void {
    if (this.#state === 'over') return
    while (this.#state === 'open') {
      const first = this.#requests.underWay[0]
      if (first?.answer === undefined) break
      const reply = 'ok' in first.answer ? first.answer.ok : undefined
      if (reply?.status !== 'ok') {
        this.#state = 'healing'
        break
      }
      this.#requests.confirmFirst()
      this.#answered(first, reply)
    }
    if (this.#state === 'healing') {
      if (this.#requests.underWay.every(({ answer }) => answer !== undefined)) void this.#heal()
      return
    }
    this.pump()
    this.#tellIdle()
    if (this.#lingers && this.settler.unconfirmed === 0) this.#end('closed')
  }

  #answered(entry: InFlight, reply: AdvanceReply & { status: 'ok' }): void {
    const { owner, runner, watching } = this.#parts
    this.#times = { sentMs: entry.sentMs, answeredMs: performance.now() }
    this.#healing.succeeded(entry.shipment.publishing)
    runner.learnTime(reply.nowMs)
    watching.answered(reply.watched, entry.sentMs)
    this.settler.confirm(entry.shipment)
    this.#reportGuardErrors(reply)
    if (reply.refused.length > 0) {
      // It does not know leases that it gave and that were not settled.
      this.#end('rolled back')
      return
    }

    let fetched = 0
    for (const range of reply.ranges) fetched += range.count
    this.#isWaiting = entry.want > 0 && fetched < entry.want && (fetched === 0 || !reply.more) && !reply.gone
    this.#runsDry = reply.drain || reply.solo
    // Work that is there and was not given (a paused group, another's suspect): asked for again in a while, if no wake comes before.
    const wasLeft = entry.want > 0 && fetched === 0 && reply.more && !reply.paused && !reply.gone
    this.#armDueTimer(wasLeft ? Math.min(reply.dueMs ?? LEFT_AGAIN_MS, LEFT_AGAIN_MS) : reply.dueMs)
    if (reply.recovered !== undefined) this.#recovered(reply.recovered)
    if (reply.outbox) owner.outbox()

    this.#take(this.#order.arrive(reply, reply.lastLease))
    this.#watchMissing()
    owner.limited(reply.limited)
    owner.answered()
  }

  #take(arrived: readonly Arrived[]): void {
    for (const { ranges, solo } of arrived) this.#receive(ranges, solo, false)
  }

  /** Redis handed over more than arrived here: unless it does so soon, nothing further is sent before a sync. */
  #watchMissing(): void {
    this.#timers.missing(this.#order.isMissing ? MISSING_MS : undefined, () => {
      if (this.#state !== 'open') return
      this.#state = 'healing'
      this.#takeAnswers()
    })
  }

  #receive(fetched: readonly FetchedRange[], solo: boolean, redelivered: boolean): void {
    if (fetched.length === 0) return
    const holder = { group: this.#group, session: this.id }
    const held = { settler: this.settler, holder, receivedMs: performance.now(), redelivered, solo }
    const ranges: HeldRange[] = []
    for (const each of fetched) {
      const range = new HeldRange(each, held)
      this.#leases.set(range.lease, range)
      this.settler.add(range)
      ranges.push(range)
    }
    this.#parts.owner.received(ranges, this.#times)
    for (const { lease } of ranges) for (const index of this.#earlyCancels.take(lease)) this.cancel({ lease, index })
  }

  #recovered(recovered: Recovered): void {
    this.#parts.owner.recovered(recovered)
    // Recovery goes in bounded steps.
    if (recovered.more) this.#mustRenew = true
  }

  #reportGuardErrors({ guardErrors }: { guardErrors: readonly { guard: string; error: string }[] }): void {
    for (const { guard, error } of guardErrors) {
      this.#parts.log.error(
        { guard, error },
        'A guard failed in Redis; what it was to write is missing, the outcome stands',
      )
    }
  }

  /** All that was under way has been answered, and the first of it not with `ok`. */
  async #heal(): Promise<void> {
    const stopped = this.#requests.stop()
    if (stopped.some(({ renew }) => renew)) this.#mustRenew = true
    const proved = provedByAnswers(stopped)
    switch (proved.kind) {
      case 'lost':
        this.#drop(stopped)
        this.#end('lost')
        return
      case 'refused':
        this.#giveBack(stopped)
        this.#requests.continueAfter(this.#requests.confirmed)
        await this.#healing.standRefusal(proved.failure, stopped[0]?.shipment.publishing === true)
        if (this.#state === 'healing') this.#state = 'open'
        break
      case 'nothing':
        await this.#synchronize(stopped)
    }
    if (this.#isOver()) return
    this.pump()
    this.#tellIdle()
  }

  #giveBack(requests: readonly InFlight[]): void {
    for (const { shipment } of requests.toReversed()) this.settler.giveBack(shipment)
  }

  /** The session is over, and they are not sent again. */
  #drop(requests: readonly InFlight[]): void {
    for (const request of requests) if (isUnanswered(request)) this.settler.doubt(request.shipment)
    this.#giveBack(requests)
  }

  /** `stopped` may or may not have happened; afterwards that is known. */
  async #synchronize(stopped: readonly InFlight[]): Promise<void> {
    const reply = await this.#healing.synchronize(stopped)
    if (reply === undefined) {
      this.#drop(stopped)
      return
    }
    const proved = provedBySync(reply, stopped, this.#requests.confirmed)
    if (proved.kind !== 'applied') {
      this.#drop(stopped)
      this.#end(proved.kind)
      return
    }
    const answeredMs = performance.now()
    for (const { shipment, sentMs } of proved.applied) {
      this.#times = { sentMs, answeredMs }
      this.settler.confirm(shipment)
    }
    this.#giveBack(proved.notApplied)
    const held = new Set(proved.reply.held)
    if ([...this.#leases.keys()].some((lease) => !held.has(lease))) {
      this.#end('rolled back')
      return
    }
    this.#requests.continueAfter(proved.reply.applied)
    this.#order.synchronized(proved.reply.lastLease)
    this.#watchMissing()
    this.#isWaiting = false
    this.#state = 'open'
    this.#receive(proved.reply.unknown, false, true)
    this.#take(this.#order.arrive({ ranges: [], solo: false }, proved.reply.lastLease))
    this.#parts.owner.answered()
  }

  #isOver(): boolean {
    return this.#state === 'over'
  }

  #armDueTimer(dueMs: number | undefined): void {
    this.#timers.due(this.#lingers ? undefined : dueMs, () => this.wake())
  }

  /** Resolves when all that ended is settled and nothing is under way; at once if the session is over. */
  async flushed(): Promise<void> {
    while (!this.#isOver() && !this.#isIdle()) {
      this.pump()
      await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    }
  }

  #isIdle(): boolean {
    return this.#requests.underWay.length === 0 && this.#state === 'open' && this.settler.unsent === 0
  }

  #tellIdle(): void {
    if (this.#onIdle.length === 0 || !(this.#isOver() || this.#isIdle())) return
    const waiting = this.#onIdle
    this.#onIdle = []
    for (const resolve of waiting) resolve()
  }

  /**
   * Removes the session; all that it holds but `running` is released. What runs stays leased: the session lingers until it returned, or its lease ends.
   * Resolves with how many were released. Never rejects.
   */
  async close(running: readonly RunningPart[], timeoutMs: number): Promise<number> {
    if (this.#state === 'new' || this.#isOver()) {
      this.#end('closed')
      return 0
    }
    this.#lingers = true
    this.#timers.stop()
    const released = await release(this.#parts, this.#group, running, timeoutMs)
    const runsOn = running.length > 0 && this.#isIdle()
    if (!runsOn) this.#end('closed')
    return released
  }

  /** The server forgot what it had confirmed: what it holds for this session runs again at once. Never rejects. */
  async discard(): Promise<void> {
    await release(this.#parts, this.#group, [], this.#parts.settings.leaseMs)
  }

  /** Gives up waiting for Redis. */
  abandon(): void {
    this.#end('closed')
  }

  #end(end: SessionEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#timers.stop()
    this.#drop(this.#requests.stop())
    this.#healing.stop()
    this.#tellIdle()
    // Once it was closed, that Redis does not know it any more is no news.
    this.#resolveEnded(this.#lingers ? 'closed' : end)
  }
}
