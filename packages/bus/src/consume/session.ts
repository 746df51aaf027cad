/**
 * One consumer session: the client's side of `open`, `advance`, `sync` and `close` (PROTOCOL: docs/data-model.md).
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
 * | advance (in #send)   | what it fetched is released by       | #heal syncs: applied or not is known, its | close waits for it as for any under way; time  |
 * |                      | recovery; what it settled is settled | fetch comes again as `unknown`            | up: close releases all but what runs           |
 * | reload, pause (heal) | as before any request                | loading is repeatable                     | `signal` ends the pause; close waits or goes   |
 * | usable (heal)        | the lease ends, recovery releases    | -                                         | `signal` ends the waiting at time up           |
 * | sync                 | as above; the epoch means nothing to | the next try has the next epoch: both may | as for usable; a sync that arrives after close |
 * |                      | other sessions                       | have been applied, the last one counts    | finds no session: `lost`, which ends it too    |
 * | close                | what was not released yet is, when   | repeated; then `lost` says that it had    | shared: one close                              |
 * |                      | the lease ends                       | happened                                  |                                                |
 */
import {
  type AdvanceReply,
  type AdvanceRequest,
  advance,
  advancePublishing,
  close,
  type FetchedRange,
  type GroupRef,
  type LeasePart,
  open,
  type Recovered,
  type SyncReply,
  sync,
} from '@busway/lua'
import { BuswayError } from '../errors/index.js'
import type { RedisFailure } from '../seams.js'
import { HeldRange } from './held-range.js'
import { type Answer, failureOf, type InFlight, isTransportFailure, refusedWhole, saysLost } from './in-flight.js'
import { Patience } from './patience.js'
import type { SessionEnd, SessionParts, Times } from './session-parts.js'
import { Settler } from './settler.js'

/** Requests under way at once. */
const MOST_IN_FLIGHT = 2
/** Settles that are worth a second request under way. */
const WORTH_A_REQUEST = 256
/** Bytes that one fetch may give; a larger message comes alone. */
const FETCH_BYTES = 4 * 1024 * 1024
/** `setTimeout` fires at once for more than 24 days. */
const LONGEST_TIMER_MS = 3_600_000
const OPEN_TRY_MS = 10_000
const LEFT_AGAIN_MS = 100
/** Beside what the connection itself takes its time for. */
const RECONNECT_PAUSE_MS = 50

export class ConsumerSession {
  readonly settler: Settler
  /** Resolves when the session is over. */
  readonly ended: Promise<SessionEnd>

  readonly #parts: SessionParts
  readonly #leases = new Map<number, HeldRange>()
  readonly #patience = new Patience()
  readonly #abort = new AbortController()
  /** Syncs without a successful request between them. */
  #healsInRow = 0
  #resolveEnded: (end: SessionEnd) => void = () => undefined
  #state: 'new' | 'open' | 'healing' | 'over' = 'new'
  #group = '' as GroupRef
  #epoch = 0
  /** The last request that Redis confirmed. */
  #confirmed = 0
  #nextNumber = 1
  #lastLease = 0
  #inFlight: InFlight[] = []
  #asked = 0
  /** Redis has this session among those that wait: it will be woken, and need not ask. */
  #isWaiting = false
  #isWoken = false
  #mustRenew = false
  /** Until it holds nothing it takes nothing. */
  #runsDry = false
  #lingers = false
  #renewTimer: NodeJS.Timeout | undefined
  #dueTimer: NodeJS.Timeout | undefined
  #publishTimer: NodeJS.Timeout | undefined
  readonly #publishPatience = new Patience()
  #times: Times = { sentMs: 0, answeredMs: 0 }
  #onIdle: (() => void)[] = []

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.settler = new Settler({
      rangeSettled: (range) => this.#leases.delete(range.lease),
      confirmed: (ended) => parts.owner.confirmed(ended, this.#times),
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
    return this.#asked > 0
  }

  get group(): GroupRef {
    return this.#group
  }

  /** Registers the session. Rejects with a BuswayError; may be called again then. */
  async open(): Promise<void> {
    const { runner, topic, id, settings, info, owner } = this.#parts
    const { group, leaseMs, concurrency, maxCrashes, deadMax, deadKeepMs } = settings
    const request = { group, session: id, leaseMs, concurrency, maxCrashes, info, deadMax, deadKeepMs }
    const reply = await runner.runRepeatable(open, topic, request, OPEN_TRY_MS)
    if (this.#state === 'over') return
    this.#group = reply.group
    this.#state = 'open'
    this.#renewLater()
    if (reply.recovered !== undefined) this.#recovered(reply.recovered)
    if (reply.outbox) owner.outbox()
    this.pump()
  }

  /** There may be work for this session. */
  wake(): void {
    this.#isWoken = true
    this.pump()
  }

  /** Sends what there is a reason to send. */
  pump(): void {
    while (this.#state === 'open' && this.#inFlight.length < MOST_IN_FLIGHT && this.#hasReason()) this.#send()
  }

  #hasReason(): boolean {
    const { settler } = this
    if (this.#inFlight.length === 0) {
      return this.#mustRenew || this.#isWoken || settler.sendable > 0 || (!this.#isWaiting && this.#room() > 0)
    }
    // One is under way; what it leaves can go with the next, unless it is much.
    if (this.#mustRenew) return true
    if (this.#asked === 0 && (this.#isWoken || (!this.#isWaiting && this.#room() > 0))) return true
    return settler.sendable >= WORTH_A_REQUEST
  }

  /** What may be asked for, as if everything to be settled now were. */
  #room(): number {
    if (this.#lingers || (this.#runsDry && this.settler.unended > 0)) return 0
    return this.#parts.owner.room(this.#asked)
  }

  #send(): void {
    const { runner, topic, id, guards } = this.#parts
    const shipment = this.settler.take()
    const want = this.#room()
    const request: AdvanceRequest = {
      group: this.#group,
      session: id,
      epoch: this.#epoch,
      number: this.#nextNumber,
      want,
      wantBytes: FETCH_BYTES,
      acks: shipment.acks,
      releases: shipment.releases,
      settles: shipment.settles,
      renew: this.#mustRenew,
      ...(guards.guardKeys === undefined ? {} : { guardKeys: guards.guardKeys }),
      ...(want > 0 && guards.fetchGuardCalls !== undefined ? { fetchGuardCalls: guards.fetchGuardCalls } : {}),
    }
    const entry: InFlight = {
      number: this.#nextNumber++,
      shipment,
      want,
      renew: this.#mustRenew,
      sentMs: performance.now(),
      answer: undefined,
    }
    this.#mustRenew = false
    this.#isWoken = false
    this.#isWaiting = false
    this.#asked += want
    this.#inFlight.push(entry)
    const answered = (answer: Answer): void => {
      entry.answer = answer
      this.#takeAnswers()
    }
    const script = shipment.publishing ? advancePublishing : advance
    // What cannot be encoded throws: then nothing was sent.
    const sent = new Promise<AdvanceReply>((resolve) => resolve(runner.run(script, topic, request)))
    sent.then(
      (reply) => answered({ ok: reply }),
      (failure: RedisFailure) => answered({ failure }),
    )
  }

  #takeAnswers(): void {
    if (this.#state === 'over') return
    while (this.#state === 'open') {
      const first = this.#inFlight[0]
      if (first?.answer === undefined) break
      const reply = 'ok' in first.answer ? first.answer.ok : undefined
      if (reply?.status !== 'ok') {
        this.#state = 'healing'
        break
      }
      this.#inFlight.shift()
      this.#answered(first, reply)
    }
    if (this.#state === 'healing') {
      if (this.#inFlight.every(({ answer }) => answer !== undefined)) void this.#heal()
      return
    }
    this.pump()
    this.#tellIdle()
    if (this.#lingers && this.settler.unconfirmed === 0) this.#end('closed')
  }

  #answered(entry: InFlight, reply: AdvanceReply & { status: 'ok' }): void {
    const { owner, runner } = this.#parts
    this.#times = { sentMs: entry.sentMs, answeredMs: performance.now() }
    this.#confirmed = entry.number
    this.#asked -= entry.want
    this.#patience.reset()
    this.#healsInRow = 0
    runner.learnTime(reply.nowMs)
    if (entry.shipment.publishing) this.#publishPatience.reset()
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

    const last = reply.ranges.at(-1)
    const seen = last === undefined ? this.#lastLease : Math.max(this.#lastLease, last.lease)
    this.#lastLease = seen
    // Redis handed over more than arrived here: nothing further is sent before a sync.
    if (reply.lastLease !== seen) this.#state = 'healing'
    this.#receive(reply.ranges, reply.solo, false)
    owner.answered()
  }

  #receive(fetched: readonly FetchedRange[], solo: boolean, redelivered: boolean): void {
    if (fetched.length === 0) return
    const held = { settler: this.settler, receivedMs: performance.now(), redelivered, solo }
    const ranges: HeldRange[] = []
    for (const each of fetched) {
      const range = new HeldRange(each, held)
      this.#leases.set(range.lease, range)
      this.settler.add(range)
      ranges.push(range)
    }
    this.#parts.owner.received(ranges, this.#times)
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
    const stopped = this.#inFlight
    this.#inFlight = []
    this.#asked = 0
    if (stopped.some(({ renew }) => renew)) this.#mustRenew = true
    if (stopped.some(saysLost)) {
      this.#giveBack(stopped)
      this.#end('lost')
      return
    }
    const refusal = refusedWhole(stopped)
    if (refusal !== undefined) {
      this.#giveBack(stopped)
      this.#nextNumber = this.#confirmed + 1
      await this.#standRefusal(refusal, stopped[0]?.shipment.publishing === true)
      if (this.#state === 'healing') this.#state = 'open'
    } else {
      await this.#synchronize(stopped)
    }
    if (this.#isOver()) return
    this.pump()
    this.#tellIdle()
  }

  #giveBack(requests: readonly InFlight[]): void {
    for (const { shipment } of requests.toReversed()) this.settler.giveBack(shipment)
  }

  /** Redis wrote nothing. */
  async #standRefusal(failure: RedisFailure, publishing: boolean): Promise<void> {
    const { runner, log } = this.#parts
    const fields = { reply: failure.reply, session: this.id }
    if (failure.reply === 'OOM' && publishing) {
      // Only settles that publish need memory; the others go on and free some.
      const pauseMs = this.#publishPatience.nextMs()
      log.warn({ ...fields, retryInMs: pauseMs }, 'Redis is full: settles that publish wait, the others go on')
      this.settler.holdPublishing(true)
      clearTimeout(this.#publishTimer)
      this.#publishTimer = setTimeout(() => {
        this.settler.holdPublishing(false)
        this.pump()
      }, pauseMs)
      return
    }
    if (failure.reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
    // The first NOSCRIPT is healed by the reload; all else takes time.
    if (failure.reply !== 'NOSCRIPT' || this.#patience.tries > 0) {
      log.warn(fields, 'Redis refuses what this consumer sends; it goes on trying')
      await this.#patience.pause(this.#abort.signal)
    } else this.#patience.nextMs()
  }

  /** `stopped` may or may not have happened; afterwards that is known. */
  async #synchronize(stopped: readonly InFlight[]): Promise<void> {
    const failure = stopped.map(({ answer }) => failureOf(answer)).find((each) => each?.kind === 'failed')
    if (failure !== undefined) {
      this.#parts.log.error(
        { error: failure.message, session: this.id },
        'Redis failed to settle and fetch for this consumer; it goes on trying',
      )
    }
    // A connection that went is waited for anyway; what else comes again at once must not keep Redis busy.
    const isTransport = stopped.some(({ answer }) => isTransportFailure(failureOf(answer)))
    if (this.#healsInRow++ > 0 && !isTransport) await this.#patience.pause(this.#abort.signal)
    const reply = await this.#sync()
    if (reply === undefined) {
      this.#giveBack(stopped)
      return
    }
    if (reply.status === 'lost') {
      this.#giveBack(stopped)
      this.#end('lost')
      return
    }
    const sent = stopped.at(-1)?.number ?? this.#confirmed
    if (reply.applied < this.#confirmed || reply.applied > sent) {
      this.#giveBack(stopped)
      this.#end('rolled back')
      return
    }
    const answeredMs = performance.now()
    for (const { shipment, sentMs } of stopped.filter(({ number }) => number <= reply.applied)) {
      this.#times = { sentMs, answeredMs }
      this.settler.confirm(shipment)
    }
    this.#giveBack(stopped.filter(({ number }) => number > reply.applied))
    const held = new Set(reply.held)
    if ([...this.#leases.keys()].some((lease) => !held.has(lease))) {
      this.#end('rolled back')
      return
    }
    this.#confirmed = reply.applied
    this.#nextNumber = reply.applied + 1
    this.#lastLease = reply.lastLease
    this.#isWaiting = false
    this.#state = 'open'
    this.#receive(reply.unknown, false, true)
    this.#parts.owner.answered()
  }

  /** Tries until it is answered; `undefined` if the session ended meanwhile. Each try fences off all requests before it. */
  async #sync(): Promise<SyncReply | undefined> {
    const { runner, topic, id, log } = this.#parts
    for (;;) {
      try {
        await runner.usable(this.#abort.signal)
        if (this.#isOver()) return undefined
        const request = { group: this.#group, session: id, epoch: ++this.#epoch, known: [...this.#leases.keys()] }
        const reply = await runner.run(sync, topic, request)
        return this.#isOver() ? undefined : reply
      } catch (error) {
        if (this.#isOver()) return undefined
        if (error instanceof BuswayError && error.code === 'BUS_CLOSED') {
          this.#end('closed')
          return undefined
        }
        const { kind, reply, message } = error as RedisFailure
        if (kind === 'failed')
          log.error(
            { error: message, session: this.id },
            'Redis failed to synchronize this consumer; it goes on trying',
          )
        if (reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
        const atMostMs = isTransportFailure(error as RedisFailure) ? RECONNECT_PAUSE_MS : undefined
        await this.#patience.pause(this.#abort.signal, atMostMs)
      }
    }
  }

  #isOver(): boolean {
    return this.#state === 'over'
  }

  #renewLater(): void {
    // A process that consumes stays: this timer holds it.
    this.#renewTimer = setTimeout(
      () => {
        this.#mustRenew = true
        this.#renewLater()
        this.pump()
      },
      Math.min(this.#parts.settings.leaseMs / 3, LONGEST_TIMER_MS),
    )
  }

  #armDueTimer(dueMs: number | undefined): void {
    clearTimeout(this.#dueTimer)
    this.#dueTimer = undefined
    if (dueMs === undefined || this.#lingers) return
    this.#dueTimer = setTimeout(() => this.wake(), Math.min(Math.max(dueMs, 1), LONGEST_TIMER_MS))
  }

  /** Resolves when all that ended is settled and nothing is under way; at once if the session is over. */
  async flushed(): Promise<void> {
    while (!this.#isOver() && !this.#isIdle()) {
      this.pump()
      await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    }
  }

  #isIdle(): boolean {
    return this.#inFlight.length === 0 && this.#state === 'open' && this.settler.unsent === 0
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
  async close(running: readonly { range: HeldRange; index: number }[], timeoutMs: number): Promise<number> {
    if (this.#state === 'new' || this.#isOver()) {
      this.#end('closed')
      return 0
    }
    this.#lingers = true
    clearTimeout(this.#renewTimer)
    this.#armDueTimer(undefined)
    const released = await this.#release(running, timeoutMs)
    const runsOn = running.length > 0 && this.#isIdle()
    if (!runsOn) this.#end('closed')
    return released
  }

  /** The server forgot what it had confirmed: what it holds for this session runs again at once. Never rejects. */
  async discard(): Promise<void> {
    await this.#release([], this.#parts.settings.leaseMs)
  }

  async #release(running: readonly { range: HeldRange; index: number }[], timeoutMs: number): Promise<number> {
    const { runner, topic, id, log } = this.#parts
    const request = { group: this.#group, session: id, running: running.map(partOf) }
    try {
      // A call under way is not cut short by its own time limit: a socket that hangs takes longer to be noticed.
      const reply = await inTime(runner.runRepeatable(close, topic, request, timeoutMs), timeoutMs)
      return reply.status === 'ok' ? reply.released : 0
    } catch (error) {
      log.warn(
        { error: String(error), session: id },
        'The consumer session was not closed in Redis; it ends with its lease',
      )
      return 0
    }
  }

  /** Gives up waiting for Redis. */
  abandon(): void {
    this.#end('closed')
  }

  #end(end: SessionEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#renewTimer)
    clearTimeout(this.#dueTimer)
    clearTimeout(this.#publishTimer)
    this.#giveBack(this.#inFlight)
    this.#inFlight = []
    this.#abort.abort()
    this.#tellIdle()
    // Once it was closed, that Redis does not know it any more is no news.
    this.#resolveEnded(this.#lingers ? 'closed' : end)
  }
}

async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${Math.round(ms)} ms`)), ms)
  })
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    clearTimeout(timer)
  }
}

const partOf = ({ range, index }: { range: HeldRange; index: number }): LeasePart => ({
  lease: range.lease,
  from: range.from + index,
  count: 1,
})
