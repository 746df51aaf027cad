/**
 * One `consume` call: keeps a session open and handlers running until it is closed.
 *
 * 1. `start` subscribes to wake-ups, so that none is missed, then opens a session.
 * 2. The session fetches into the backlog, the processor runs it, the settler collects what became of it, the session settles.
 * 3. A session that ends (its lease was lost, the server was rolled back) takes its unstarted messages with it, aborts its running ones, and is
 *    replaced. So an outage of any length ends by itself.
 * 4. `close` gives back what was not started, waits for what runs, settles, and closes the session; when time is up it aborts what runs and goes.
 */
import { hostname } from 'node:os'
import { readPush, WATCHED } from '@busway/lua'
import type { CloseOptions, CloseReport } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AnyWork, ConsumeDependencies, OwnedSubscription } from '../seams.js'
import { durationMs } from '../validate/durations.js'
import { invalidOption } from '../validate/options.js'
import { readCancel } from './cancels.js'
import { Deadline } from './deadline.js'
import { guardsOf } from './guard-calls.js'
import type { HeldRange } from './held-range.js'
import { Intake } from './intake.js'
import { watchLease } from './loop-watch.js'
import { Patience } from './patience.js'
import { Processor } from './processor.js'
import type { RunSubject } from './run.js'
import { ConsumerSession } from './session.js'
import { nextSessionId, type SessionEnd, type SessionOwner } from './session-parts.js'
import { type ConsumeSettings, checkConsumeOptions } from './settings.js'
import type { Place, Share } from './share.js'
import { Starting } from './starting.js'
import { SubscriptionEvents } from './subscription-events.js'
import { Watching } from './watching.js'

const CLOSE_MS = 30_000
/** When time is up, what prompt handlers still settle gets so long; a session that holds nothing is not worth more waiting either. */
const LAST_WORDS_MS = 250
const EMPTY_CLOSE_MS = 2_000

/** Of a subscription that is one of several: to a topic of a pattern, or to a partition of a topic. Its lease is watched over for it. */
export interface Membership {
  /**
   * Of one that begins no topic anew that was deleted, but closes itself. Asked when the topic is found deleted: whether it is registered, and may come
   * back any time.
   */
  readonly isThere?: () => Promise<boolean>
  /** What it shares with the others. */
  readonly share: Share
  /** How long it takes longer to close a session because others are closed with it. */
  othersMs(): number
  /** How many the topic has. Default: 1. */
  readonly partitions?: number
  /** Another one says that the topic is consumed. */
  readonly isSilent?: boolean
}

/** Checks everything and throws INVALID_OPTIONS or INVALID_GROUP; nothing is sent before `start`. */
export const createSubscription = (
  dependencies: ConsumeDependencies,
  topic: string,
  work: AnyWork,
  options: unknown,
  membership?: Membership,
): OwnedSubscription => new ConsumerSubscription(dependencies, topic, work, options, membership)

/** What exists from `start` on. */
interface Works {
  readonly subject: RunSubject
  readonly events: SubscriptionEvents
  readonly processor: Processor
  readonly life: Promise<void>
}

class ConsumerSubscription implements OwnedSubscription {
  readonly topic: string
  readonly closed: Promise<void>

  readonly #dependencies: ConsumeDependencies
  readonly #work: AnyWork
  readonly #settings: ConsumeSettings
  readonly #intake: Intake
  readonly #deadline = new Deadline()
  /** Aborted by `close`: ends every waiting for Redis but that for settles. */
  readonly #leaving = new AbortController()
  #works: Works | undefined
  #session: ConsumerSession | undefined
  readonly #starting = new Starting()
  readonly #membership: Membership | undefined
  readonly #place: Place | undefined
  #isPaused = false
  #tickIsDue = false
  #closing: Promise<CloseReport> | undefined
  #onDrained: (() => void) | undefined
  #resolveClosed: () => void = nothing

  constructor(
    dependencies: ConsumeDependencies,
    topic: string,
    work: AnyWork,
    options: unknown,
    membership: Membership | undefined,
  ) {
    checkHandler(work)
    this.topic = topic
    this.#dependencies = dependencies
    this.#membership = membership
    this.#work = work
    this.#settings = checkConsumeOptions(dependencies.service, options, dependencies.pipeline(), work.kind)
    const intakeHost = {
      isAsking: () => this.#session?.isAsking ?? false,
      gaveBack: () => this.#session?.pump(),
    }
    this.#intake = new Intake(this.#settings, intakeHost, membership?.share.pace)
    this.#place = membership?.share.place({
      held: () => this.#intake.backlog.size + (this.#works?.processor.occupied ?? 0) + (this.#session?.asked ?? 0),
      start: () => this.#works?.processor.start(),
      pump: () => this.#session?.pump(),
      giveBack: () => this.#intake.giveBackAll(),
      leased: () => leasedTo(this.#session),
    })
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  get ready(): Promise<void> {
    return this.#starting.ready
  }

  get group(): string {
    return this.#settings.group
  }

  start(): void {
    if (this.#works !== undefined || this.#closing !== undefined) return
    const { topic, group } = this
    const { runner, publisher, log } = this.#dependencies
    const pipeline = this.#dependencies.pipeline()
    const { options } = this.#settings
    const watching = new Watching(runner, topic)
    const subject: RunSubject = {
      ...{ topic, group, options, publisher, pipeline, watching },
      partitions: this.#membership?.partitions ?? 1,
      log: log.child({ topic, group }),
    }
    if (this.#membership?.isSilent !== true) pipeline.emit('subscribed', { topic, group })
    const events = new SubscriptionEvents(subject, this.#dependencies)
    const { backlog, pace } = this.#intake
    const processor = new Processor(subject, this.#settings, this.#work, {
      backlog,
      pace,
      place: this.#place,
      suspects: this.#dependencies.suspects,
      now: () => this.#dependencies.runner.now(),
      host: {
        progressed: () => this.#progressed(),
        refill: () => this.#session?.pump(),
        abandoned: (run) => events.abandoned(run),
        mayBring: () => this.#session?.mayBring ?? false,
        refused: (ended) => events.refused(ended),
      },
    })
    if (this.#isPaused) processor.stop()
    this.#works = { subject, events, processor, life: this.#live(subject, events, processor) }
  }

  fail(error: Error): void {
    this.#starting.failed(error)
  }

  pause(): void {
    if (this.#isPaused || this.#closing !== undefined) return
    this.#isPaused = true
    this.#intake.isShut = true
    this.#works?.processor.stop()
    this.#intake.giveBackAll()
    // So that Redis wakes somebody else.
    this.#session?.wake()
  }

  resume(): void {
    if (!this.#isPaused || this.#closing !== undefined) return
    this.#isPaused = false
    this.#intake.isShut = false
    this.#works?.processor.resume()
    this.#session?.wake()
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    this.#deadline.within(options.timeout === undefined ? CLOSE_MS : durationMs('timeout', options.timeout))
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- sessions, one after the other

  async #live(subject: RunSubject, events: SubscriptionEvents, processor: Processor): Promise<void> {
    const { wakes } = this.#dependencies
    const { leaseMs } = this.#settings
    const leaveProblems = this.#starting.heed(this.#dependencies.runner)
    const leaveWakes = await this.#subscribe(subject)
    if (leaveWakes === undefined) {
      leaveProblems()
      return
    }
    const leaveBack = wakes.onBack(() => this.#session?.wake())
    const unwatch = this.#membership === undefined ? watchLease(leaseMs, subject.log) : nothing
    const patience = new Patience()
    while (!this.#isLeaving) {
      const session = this.#newSession(subject, events, processor)
      this.#session = session
      if (!(await this.#open(session, subject))) break
      const openedMs = performance.now()
      const end = await Promise.race([session.ended, this.closed])
      // Closed: what still runs settles by itself when it returns.
      if (end === undefined) break
      this.#settleAccounts(session, end, events, processor)
      if (end === 'closed') break
      if (performance.now() - openedMs > leaseMs) patience.reset()
      await patience.pause(this.#leaving.signal)
    }
    unwatch()
    leaveBack()
    leaveWakes()
    leaveProblems()
  }

  get #isLeaving(): boolean {
    return this.#leaving.signal.aborted
  }

  #newSession(subject: RunSubject, events: SubscriptionEvents, processor: Processor): ConsumerSession {
    const { runner, wakes, relayer, service } = this.#dependencies
    const owner: SessionOwner = {
      room: (asked, isIdle) => {
        const { keptBack, isAtRisk } = session.settler
        const own = this.#intake.room(processor.occupied + asked + keptBack, isAtRisk)
        if (this.#place === undefined) return own
        return isIdle && !this.#place.isShut ? this.#place.roomAside(own) : this.#place.room(own)
      },
      received: (ranges, times) => {
        this.#received(ranges, processor)
        let count = 0
        for (const range of ranges) count += range.count
        events.fetched(count, times)
      },
      confirmed: (ended, times) => events.settled(ended, times),
      cancelled: (range, index) => processor.cancel(range, index),
      recovered: (recovered) => events.recovered(recovered),
      limited: (isLimited) => this.#intake.limit(isLimited),
      answered: () => {
        this.#intake.answered()
        this.#place?.update()
        processor.start()
      },
      outbox: () => relayer.kick(this.topic),
    }
    const guards = guardsOf(subject)
    const session = new ConsumerSession({
      id: nextSessionId(wakes.busId),
      topic: this.topic,
      runner,
      settings: this.#settings,
      info: JSON.stringify({
        service,
        host: hostname(),
        pid: process.pid,
        since: new Date(runner.now()).toISOString(),
      }),
      reopened: this.#session !== undefined,
      guards,
      // What fetch guards or other subscriptions have a say in, it asks for.
      takesPushes: guards.fetchGuardCalls === undefined && this.#place === undefined,
      owner,
      watching: subject.watching,
      log: subject.log,
    })
    return session
  }

  /** Resolves with how to leave, or with nothing once the subscription is being closed. */
  async #subscribe({ log, watching }: RunSubject): Promise<(() => void) | undefined> {
    const patience = new Patience()
    while (!this.#isLeaving) {
      try {
        const leave = await this.#dependencies.wakes.subscribe(this.topic, (payload, bytes) => {
          if (payload === WATCHED) watching.began()
          else if (this.#session !== undefined) hear(this.#session, payload, bytes)
        })
        if (!this.#isLeaving) return leave
        leave()
      } catch (error) {
        await this.#starting.troubled(error, log, patience, this.#leaving.signal)
      }
    }
    return undefined
  }

  async #open(session: ConsumerSession, { log }: RunSubject): Promise<boolean> {
    const { publisher } = this.#dependencies
    const isThere = this.#membership?.isThere
    const patience = new Patience()
    while (!this.#isLeaving) {
      try {
        if (isThere === undefined) await publisher.ensureTopic(this.topic).catch(unlessFull)
        if (await session.open()) {
          this.#starting.succeeded()
          return true
        }
        if (isThere === undefined) publisher.forgetTopic(this.topic)
        else if (!(await isThere())) {
          void this.close()
          break
        }
        await patience.pause(this.#leaving.signal)
      } catch (error) {
        await this.#starting.troubled(error, log, patience, this.#leaving.signal)
      }
    }
    session.abandon()
    return false
  }

  /** A session is over: nothing that it held can be settled any more. */
  #settleAccounts(session: ConsumerSession, end: SessionEnd, events: SubscriptionEvents, processor: Processor): void {
    const { settler, id } = session
    this.#intake.drop(({ held }) => held.settler === settler)
    if (end === 'closed') {
      events.leftUnsettled(settler.lose(nothing))
      return
    }
    const unsettled = settler.lose((ended) => events.refused(ended))
    const running = processor.runs().filter((run) => run.range.held.settler === settler)
    const reason =
      end === 'lost'
        ? events.leaseLost(id, unsettled, running.length)
        : events.rolledBack(id, unsettled, running.length)
    processor.lost(settler, reason)
    this.#place?.update()
    if (end === 'rolled back') void session.discard()
  }

  // ---- work

  #received(ranges: readonly HeldRange[], processor: Processor): void {
    this.#intake.receive(ranges)
    processor.refillAt = this.#intake.refillAt(processor.occupied)
    processor.start()
  }

  /** Many runs end in one turn of the event loop; what follows from it is done once. */
  #progressed(): void {
    if (this.#tickIsDue) return
    this.#tickIsDue = true
    setImmediate(() => {
      this.#tickIsDue = false
      this.#place?.update()
      const processor = this.#works?.processor
      this.#session?.pump()
      processor?.start()
      if (processor?.running === 0) this.#onDrained?.()
    })
  }

  // ---- close

  async #close(): Promise<CloseReport> {
    this.#intake.close()
    this.#leaving.abort()
    this.#starting.closed(this.topic)
    const report = this.#works === undefined ? nothingLeft : await this.#leave(this.#works)
    this.#deadline.cancel()
    this.#place?.leave()
    this.#resolveClosed()
    return report
  }

  async #leave({ processor, life }: Works): Promise<CloseReport> {
    processor.stop()
    const givenBack = this.#intake.givenBack
    this.#intake.giveBackAll()
    this.#session?.pump()
    if (processor.running > 0) {
      const drained = new Promise<void>((resolve) => {
        this.#onDrained = resolve
      })
      await this.#deadline.or(drained)
    }
    if (processor.running > 0) {
      processor.abort(processor.runs(), new BuswayError('BUS_CLOSED', 'The subscription was closed and time is up'))
      // What answers to its signal at once is still settled.
      await new Promise((resolve) => setImmediate(resolve))
      this.#session?.settler.hurry()
    }
    const running = processor.runs()
    const session = this.#session
    const emptyCloseMs = EMPTY_CLOSE_MS + (this.#membership?.othersMs() ?? 0)
    let released = 0
    if (session !== undefined) {
      const budgetMs = session.settler.unconfirmed > 0 ? CLOSE_MS : emptyCloseMs
      await this.#deadline.or(session.flushed(), LAST_WORDS_MS, budgetMs)
      const closeMs = Math.max(LAST_WORDS_MS, Math.min(this.#deadline.leftMs, budgetMs))
      released = await session.close(running, closeMs)
    }
    processor.close()
    // A session with runs left lingers, and its life with it.
    if (running.length === 0) await this.#deadline.or(life, LAST_WORDS_MS, emptyCloseMs)
    released += this.#intake.givenBack - givenBack
    return { released, abandoned: running.map((run) => run.message.id), unanswered: 0 }
  }
}

function hear(session: ConsumerSession, payload: string, bytes: Buffer | undefined): void {
  const push = readPush(payload, bytes)
  if (push !== undefined) {
    if (push.session === session.id) session.pushed(push.range)
    return
  }
  if (payload.endsWith(` ${session.id}`)) {
    session.wake()
    return
  }
  const cancelled = readCancel(payload, session.id)
  if (cancelled !== undefined) session.cancel(cancelled)
}

/** Messages. Without what a full Redis refuses to settle: that may last. */
function leasedTo(session: ConsumerSession | undefined): number {
  if (session === undefined || session.settler.isLost) return 0
  return session.settler.unconfirmed - session.settler.heldBack
}

/** Throws INVALID_OPTIONS. */
export function checkHandler({ kind, handler }: AnyWork): void {
  if (typeof handler === 'function') return
  const takes = kind === 'batch' ? 'messages and their' : 'a message and its'
  throw invalidOption('handler', handler, `a function of ${takes} context`)
}

/** A full Redis refuses to register a topic; consuming is what frees memory. */
export function unlessFull(error: unknown): void {
  if (!(error instanceof BuswayError && error.code === 'REDIS_OUT_OF_MEMORY')) throw error
}

const nothing = (): void => undefined
const nothingLeft: CloseReport = { released: 0, abandoned: [], unanswered: 0 }
