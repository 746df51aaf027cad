/**
 * Publishes to one topic as an idempotent producer. Redis runs request n of a session only if n is its last + 1, so several requests can be under way
 * and none is lost, repeated or overtaken:
 *
 * 1. `enqueue`: units wait in order; what arrives in one tick, or while calls are under way, shares the next request (group commit)
 * 2. `#pump`: packs requests, numbers them, sends them, up to `inFlightMost` at a time
 * 3. answered: the units are told. Anything else stops the pump until all that is under way has been answered or lost
 * 4. `#heal`: works out what each answer proves, opens a new session if the old one can prove nothing, and sends the unanswered again, in order
 * 5. a unit that waits longer than `timeoutMs` is told what is known of it
 *
 * Where the topic is full and publishes wait, see backpressure.ts.
 */
import {
  declare,
  type GuardKeys,
  type PublishOutcome,
  type PublishReply,
  publish,
  type TopicSettings,
} from '@busway/lua'
import type { Receipt } from '../api/index.js'
import type { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import type { TopicRunner } from '../redis/bus-runner.js'
import { explainFailure } from '../redis/explain.js'
import { reach } from '../redis/reach.js'
import { BATCH_BYTES, BATCH_MESSAGES, encodeProperties, randomId } from '../wire/index.js'
import { Backpressure, type RoomNews } from './backpressure.js'
import type { Confirmation } from './durability.js'
import type { PreparedMessage } from './message.js'
import { onAbort } from './on-abort.js'
import { UnitQueue } from './queue.js'
import { gaveUpWaiting } from './rejection.js'
import { type Packing, type PublishRequest, packRequest, REQUEST_MESSAGES } from './request.js'
import { ProducerSession } from './session.js'
import { isLasting, isUncertain, Told } from './told.js'
import { Unit } from './unit.js'
import { judge } from './verdict.js'

export interface ProducerSettings {
  readonly topic: string
  readonly source: string
  /** Of the topic, for everyone; left out if there are none. */
  readonly topicSettings: TopicSettings | undefined
  /** If publishes wait where the topic is full. */
  readonly roomNews: RoomNews | undefined
  readonly timeoutMs: number
  readonly runner: TopicRunner
  /** If more than the primary's word is wanted. */
  readonly confirmation: Confirmation | undefined
  readonly guardKeys: GuardKeys | undefined
  /** Adds the topic to the namespace's registry. Resolves with the groups that exist from the first publish on. */
  readonly register: () => Promise<readonly string[]>
  readonly onGuardError: (guard: string, error: string) => void
  readonly onRollback: () => void
  /** The topic's outbox has entries. */
  readonly onOutbox: () => void
}

/** Requests under way at a time. */
const inFlightMost = 4

export class Producer {
  readonly #settings: ProducerSettings
  readonly #packing: Packing
  readonly #told: Told
  readonly #session = new ProducerSession()
  readonly #queue = new UnitQueue()
  readonly #backpressure: Backpressure | undefined
  /** Not answered yet, in the order of their numbers. */
  #requests: PublishRequest[] = []
  /** Of those, sent and not yet answered or lost. */
  #underWay = 0
  #isHealing = false
  #mustHeal = false
  #isScheduled = false
  /** When that was: one look at the clock for all that is published in a tick. */
  #tickAt = 0
  #isBusy = false
  #tries = 0
  /** Ends a wait for Redis: something is to be looked at again. */
  #giveUp: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(settings: ProducerSettings) {
    this.#settings = settings
    const { topic, source, runner, timeoutMs, roomNews } = settings
    if (roomNews !== undefined) this.#backpressure = new Backpressure(roomNews, () => this.#schedule())
    this.#told = new Told(topic, runner, timeoutMs)
    this.#packing = {
      topic,
      source,
      plainProperties: encodeProperties({ source }),
      timeOf: (at) => runner.now() - (performance.now() - at),
    }
  }

  get packing(): Packing {
    return this.#packing
  }

  /** Messages wait here, and there is room for more in their batch. */
  get isFilling(): boolean {
    const { isEmpty, messages, bytes } = this.#queue
    return !isEmpty && messages < BATCH_MESSAGES && bytes < BATCH_BYTES
  }

  get unanswered(): number {
    let count = 0
    for (const request of this.#requests) if (!request.isAbandoned) count += request.messages
    return count + this.#queue.unsettled
  }

  enqueue(messages: readonly PreparedMessage[], signal: AbortSignal | undefined): Promise<Receipt[]> {
    return new Promise((resolve, reject) => this.#enqueue(messages, signal, resolve, reject))
  }

  /** The same of one alone, without a promise between. */
  enqueueOne(message: PreparedMessage): Promise<Receipt> {
    return new Promise((resolve, reject) =>
      this.#enqueue([message], undefined, (receipts) => resolve(receipts[0] as Receipt), reject),
    )
  }

  #enqueue(
    messages: readonly PreparedMessage[],
    signal: AbortSignal | undefined,
    resolve: (receipts: Receipt[]) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#schedule()
    const unit = new Unit(messages, this.#tickAt, resolve, reject)
    if (signal !== undefined) this.#takeBack(unit, signal)
    this.#queue.push(unit)
    if (!this.#isBusy) this.#begin()
  }

  /** What is not in a request yet is never sent. */
  #takeBack(unit: Unit, signal: AbortSignal): void {
    const aborted = (): void => {
      if (unit.isTaken) unit.refuse(this.#told.unknown(undefined, 'until it was aborted'))
      else unit.refuse(this.#waitsForRoom('until it was aborted', signal.reason) ?? signal.reason)
      // Perhaps nobody waits any more, or for less room.
      this.#giveUp?.abort()
      this.#backpressure?.askAgain()
    }
    unit.onSettled = onAbort(signal, aborted)
  }

  /** Resolves when nothing waits for an answer. */
  idle(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Tells all that wait what is known, and sends nothing more. */
  abandon(error: BuswayError): void {
    for (const request of this.#requests) {
      request.refuse(isUncertain(request) ? this.#told.of(request) : error)
      request.isAbandoned = true
    }
    for (let unit = this.#queue.shift(); unit !== undefined; unit = this.#queue.shift()) unit.refuse(error)
    clearTimeout(this.#timer)
  }

  /** At the end of this tick: whoever publishes within it shares the request. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#tickAt = performance.now()
    process.nextTick(this.#pump)
  }

  readonly #pump = (): void => {
    this.#isScheduled = false
    if (this.#isHealing) return
    if (this.#mustHeal) {
      if (this.#underWay === 0) void this.#heal()
      return
    }
    if (this.#requests.length === 0 && this.#session.isForgotten) this.#session.isOpen = false
    if (!this.#session.isOpen && !this.#queue.isEmpty) {
      void this.#heal()
      return
    }
    while (!this.#queue.isEmpty && this.#hasRoom()) {
      const request = packRequest(this.#queue, this.#packing, this.#backpressure?.most ?? this.#share())
      if (request === undefined) break
      request.number = this.#session.takeNumber()
      this.#requests.push(request)
      this.#send(request)
    }
    if (this.#requests.length === 0 && this.#queue.isEmpty) this.#end()
  }

  /** A lone publish is sent at once. While calls are under way only what fills a batch is; the rest goes together with what comes meanwhile. */
  #hasRoom(): boolean {
    if (this.#backpressure !== undefined) return this.#underWay === 0 && !this.#backpressure.isShut
    if (this.#underWay === 0) return true
    return this.#underWay < inFlightMost && (this.#queue.messages >= BATCH_MESSAGES || this.#queue.bytes >= BATCH_BYTES)
  }

  /**
   * How much goes into the next request, where one could take all that waits: about a half, in whole batches. Redis has that while the other is written, and from
   * then on both have something to do. What it gives is in docs/performance.md.
   */
  #share(): number {
    const { messages } = this.#queue
    const isWorthTwo = messages > 2 * BATCH_MESSAGES && messages <= REQUEST_MESSAGES
    return this.#underWay === 0 && isWorthTwo
      ? Math.round(messages / 2 / BATCH_MESSAGES) * BATCH_MESSAGES - 1 // and the unit that goes beyond
      : Number.POSITIVE_INFINITY
  }

  #send(request: PublishRequest): void {
    request.isUnderWay = true
    request.reply = undefined
    request.failure = undefined
    this.#underWay++
    const { runner, topic, guardKeys, confirmation } = this.#settings
    request.keeps ??= this.#backpressure?.sent()
    const sent = runner.run(publish, topic, {
      session: this.#session.id,
      number: request.number,
      lowestUnanswered: (this.#requests[0] ?? request).number,
      batches: request.batches,
      ...(request.unitSizes === undefined ? {} : { units: request.unitSizes }),
      ...(request.guardCalls === undefined ? {} : { guardCalls: request.guardCalls, guardKeys: guardKeys ?? [] }),
      ...(request.keeps === undefined ? {} : { keeps: request.keeps }),
    })
    const failed = (error: unknown): void => this.#failed(request, error)
    if (confirmation === undefined) sent.then((reply) => this.#answered(request, reply), failed)
    else
      confirmation
        .of(sent, ({ status }) => status === 'ok')
        .then(({ reply, unconfirmed }) => this.#answered(request, reply, unconfirmed), failed)
  }

  #answered(request: PublishRequest, reply: PublishReply, unconfirmed?: BuswayError): void {
    this.#underWay--
    request.isUnderWay = false
    request.reply = reply
    if (reply.status === 'ok') {
      this.#session.answered(request.number)
      this.#tries = 0
      this.#remove(request)
      this.#accepted(request, reply.outcomes, unconfirmed)
      for (const { guard, error } of reply.guardErrors) this.#settings.onGuardError(guard, error)
      if (reply.outbox) this.#settings.onOutbox()
    } else this.#mustHeal = true
    // After the callers' own continuations, which may publish more.
    this.#schedule()
  }

  #accepted(request: PublishRequest, outcomes: readonly PublishOutcome[], unconfirmed?: BuswayError): void {
    const backpressure = this.#backpressure
    const { units, reason } = request.accept(
      this.#settings.topic,
      this.#session.id,
      outcomes,
      backpressure !== undefined,
      unconfirmed,
    )
    if (units.length === 0) {
      backpressure?.accepted()
      return
    }
    this.#queue.putBack(units)
    backpressure?.refused(reason, request.keeps?.bus !== undefined)
  }

  /** What a unit of the queue is told if it waits because the topic is full. */
  #waitsForRoom(until: string, cause?: unknown): BuswayError | undefined {
    if (!this.#backpressure?.isShut) return undefined
    return gaveUpWaiting(this.#settings.topic, this.#backpressure.reason, until, cause)
  }

  #failed(request: PublishRequest, error: unknown): void {
    this.#underWay--
    request.isUnderWay = false
    if (isRedisFailure(error)) {
      request.failure = error
      if (error.kind === 'unknown') request.mayHaveHappened = true
    } else {
      // It could not even be made into a command: nothing was sent, and trying again would not help.
      this.#remove(request)
      request.refuse(error)
    }
    this.#mustHeal = true
    this.#schedule()
  }

  #remove(request: PublishRequest): void {
    const at = this.#requests.indexOf(request)
    if (at >= 0) this.#requests.splice(at, 1)
  }

  async #heal(): Promise<void> {
    this.#isHealing = true
    try {
      // Each round begins in a turn of its own, so that the sockets' events are seen.
      while (!(await this.#tryToHeal())) await new Promise((resolve) => setImmediate(resolve))
    } finally {
      this.#isHealing = false
      this.#schedule()
    }
  }

  /** One round: true when requests may flow again, or nothing is left to send. */
  async #tryToHeal(): Promise<boolean> {
    this.#expire()
    const verdict = judge(this.#requests, this.#session.confirmed)
    this.#requests = verdict.again
    // What an answer proves is judged once, however many rounds it takes to send again.
    for (const request of verdict.again) request.reply = undefined
    for (const request of verdict.hopeless) request.refuse(this.#told.of(request))
    if (verdict.rolledBack) this.#settings.onRollback()
    if (verdict.newSession) this.#session.isOpen = false
    this.#mustHeal = false
    // Even if nothing is sent again: what was refused took no number, and the next request must not leave a gap that nothing would close.
    if (verdict.renumber || verdict.newSession) this.#session.renumber(this.#requests)
    if (this.#requests.length === 0 && (this.#queue.isEmpty || this.#session.isOpen)) return true

    const failure = verdict.wait
    if (failure !== undefined) await this.#waitOut(failure.reply)
    if (!(await this.#reach())) return false
    if (!this.#session.isOpen && !(await this.#open())) return false
    for (const request of this.#requests) if (!request.isAbandoned) this.#send(request)
    return true
  }

  async #waitOut(reply: string | undefined): Promise<void> {
    const { runner } = this.#settings
    // The primary is another one now: the next connection finds it, or waits for it.
    if (reply === 'READONLY') runner.reconnect(new Error('Redis became a read-only replica'))
    if (reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
    else await runner.pause(Math.min(25 * 2 ** this.#tries++, 500))
  }

  /** True when Redis can be asked; false when something else has to be looked at first. */
  async #reach(): Promise<boolean> {
    const { runner, timeoutMs } = this.#settings
    if (runner.isUp) return true
    const { problem } = runner
    if (problem !== undefined && isLasting(problem)) this.#refuseUnsent(problem)
    if (this.#requests.length === 0 && this.#queue.isEmpty) return false
    // Not longer than the oldest waits, whoever that is.
    this.#giveUp = new AbortController()
    const dueMs = (this.#oldest() ?? performance.now()) + timeoutMs - performance.now()
    const failed = await reach(runner, Math.max(1, dueMs), this.#giveUp)
    if (failed?.code === 'BUS_CLOSED') this.abandon(failed)
    return failed === undefined
  }

  /** A session of its own for this producer, and a topic that is known. */
  async #open(): Promise<boolean> {
    const { runner, topic, topicSettings: settings, register } = this.#settings
    const session = randomId()
    try {
      const groups = await register()
      await runner.run(declare, topic, { session, groups, ...(settings === undefined ? {} : { settings }) })
      // A deletion that was under way may have taken it out of the registry in between.
      await register()
    } catch (error) {
      await this.#refusedToOpen(error)
      return false
    }
    this.#session.opened(session)
    this.#session.renumber(this.#requests)
    return true
  }

  async #refusedToOpen(error: unknown): Promise<void> {
    const failure = isRedisFailure(error) ? error : undefined
    const explained = explainFailure(error, this.#settings.runner.address)
    // Whatever waits here was never sent under this session; what may have happened under an older one waits for its time.
    if (
      failure === undefined ||
      failure.kind === 'failed' ||
      failure.reply === 'OOM' ||
      (failure.kind === 'refused' && isLasting(explained))
    ) {
      this.#refuseUnsent(explained)
    }
    if (failure === undefined || failure.kind === 'refused' || failure.kind === 'failed')
      await this.#waitOut(failure?.reply)
  }

  #refuseUnsent(error: BuswayError): void {
    this.#requests = this.#requests.filter((request) => {
      if (request.mayHaveHappened) return true
      request.refuse(error)
      return false
    })
    for (let unit = this.#queue.shift(); unit !== undefined; unit = this.#queue.shift()) unit.refuse(error)
  }

  /** Tells those who have waited long enough. A request that may have happened stays for its number until `judge` sees it. */
  #expire(): void {
    const before = performance.now() - this.#settings.timeoutMs
    for (const request of this.#requests) {
      if (request.isAbandoned || request.handedOverAt > before) continue
      request.refuse(this.#told.of(request))
      request.isAbandoned = true
    }
    let shifted = 0
    for (let unit = this.#queue.peek(); unit !== undefined; unit = this.#queue.peek()) {
      if (!unit.isSettled && unit.handedOverAt > before) break
      this.#queue.shift()
      shifted++
      unit.refuse(this.#waitsForRoom(`for ${this.#settings.timeoutMs} ms`) ?? this.#told.notDone(undefined))
    }
    if (shifted > 0) this.#backpressure?.askAgain()
  }

  #oldest(): number | undefined {
    return this.#requests.find((request) => !request.isAbandoned)?.handedOverAt ?? this.#queue.peek()?.handedOverAt
  }

  #begin(): void {
    this.#isBusy = true
    // As long as somebody waits for an answer the program runs on.
    this.#settings.runner.hold()
    this.#timer ??= setTimeout(this.#look, this.#settings.timeoutMs).unref()
  }

  #end(): void {
    if (!this.#isBusy) return
    this.#isBusy = false
    this.#backpressure?.reset()
    this.#settings.runner.release()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Armed once for many publishes: it looks when the oldest could be due, and not at all when idle. */
  readonly #look = (): void => {
    this.#timer = undefined
    this.#expire()
    const oldest = this.#oldest()
    this.#schedule()
    if (oldest === undefined) return
    const dueMs = oldest + this.#settings.timeoutMs - performance.now()
    this.#timer = setTimeout(this.#look, Math.max(1, dueMs)).unref()
  }
}
