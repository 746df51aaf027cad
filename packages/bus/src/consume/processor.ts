/**
 * Runs handlers.
 *
 * 1. `start` fills the free slots, at most `concurrency`.
 * 2. A slot takes a message, decodes it, runs the handler, hands the outcome to `Verdicts`, and takes the next, until none is left.
 * 3. A run whose signal was aborted keeps its slot until it returns; one lease later it is abandoned and the slot freed.
 *
 * A message that may have killed a process (`solo`) starts only when nothing else runs, and nothing starts beside it. Handlers that never wait
 * are interrupted every few milliseconds, so that timers and sockets get their turn.
 */
import type { StagedPublish } from '@busway/lua'
import type { Outcome } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AnyHandler } from '../seams.js'
import { JSON_TYPE } from '../wire/index.js'
import type { Backlog } from './backlog.js'
import { decodeBody, decodeWith } from './body-decoder.js'
import { toError } from './error-record.js'
import type { HeldRange } from './held-range.js'
import { invocation } from './invocation.js'
import type { HandlerPace } from './lookahead.js'
import { ReceivedMessage } from './received-message.js'
import { isExhausted } from './retry-policy.js'
import { Run, type RunSubject } from './run.js'
import { RunWatch } from './run-watch.js'
import type { ConsumeSettings } from './settings.js'
import type { Ended, Settler } from './settler.js'
import { Verdicts } from './verdicts.js'

/** How long handlers may follow one another without a turn of the event loop. */
const SLICE_MS = 2
/** Runs from this length on let settles go before the next message starts. */
const PAUSING_MS = 1

export interface ProcessorHost {
  /** A run ended. Called for each, so it is cheap. */
  progressed(): void
  /** The backlog has come down to where more should be asked for. */
  refill(): void
  /** A run that hung was given up. */
  abandoned(run: Run): void
  /** A run ended whose session was lost: what it did is refused. */
  refused(ended: Ended): void
}

export class Processor {
  running = 0
  /** The backlog's size at which `refill` is called. */
  refillAt = 0

  readonly #subject: RunSubject
  readonly #settings: ConsumeSettings
  readonly #invoke: (run: Run) => unknown
  readonly #backlog: Backlog
  readonly #pace: HandlerPace
  readonly #host: ProcessorHost
  /** Redis' clock. */
  readonly #now: () => number
  readonly #verdicts: Verdicts
  readonly #watch: RunWatch
  readonly #slots: (Run | undefined)[]
  readonly #freeSlots: number[]
  #isStopped = false
  #soloRuns = false
  #sliceStartMs = 0
  #sliceIsOpen = false
  #isStalled = false

  constructor(
    subject: RunSubject,
    settings: ConsumeSettings,
    handler: AnyHandler,
    parts: { backlog: Backlog; pace: HandlerPace; host: ProcessorHost; now: () => number },
  ) {
    this.#subject = subject
    this.#settings = settings
    this.#backlog = parts.backlog
    this.#pace = parts.pace
    this.#host = parts.host
    this.#now = parts.now
    this.#invoke = invocation(subject, settings, handler)
    this.#verdicts = new Verdicts(subject, settings.retry)
    this.#slots = new Array(settings.concurrency).fill(undefined)
    this.#freeSlots = Array.from({ length: settings.concurrency }, (_, i) => settings.concurrency - 1 - i)
    this.#watch = new RunWatch({
      timeoutMs: settings.timeoutMs,
      leaseMs: settings.leaseMs,
      runs: () => this.runs(),
      onTimeout: (run, nowMs) => this.#timedOut(run, nowMs),
      onOverdue: (run, nowMs) => this.#abandon(run, nowMs),
    })
  }

  /** What runs now. */
  runs(): Run[] {
    return this.#slots.filter((run) => run !== undefined)
  }

  start(): void {
    while (!this.#isStopped && this.#backlog.size > 0 && !this.#isStalled) {
      const slot = this.#freeSlots.pop()
      if (slot === undefined) return
      const before = this.#backlog.size
      void this.#work(slot)
      // Nothing could be taken: a solo message waits, or is running.
      if (this.#backlog.size === before) return
    }
  }

  /** Starts nothing more; what runs goes on. */
  stop(): void {
    this.#isStopped = true
  }

  resume(): void {
    this.#isStopped = false
    this.start()
  }

  /** Aborts what runs under this session, which is over, and refuses what it will still publish. */
  lost(settler: Settler, reason: BuswayError): Run[] {
    const runs = this.runs().filter((run) => run.range.held.settler === settler)
    for (const run of runs) run.refuse(reason)
    this.abort(runs, reason)
    return runs
  }

  abort(runs: readonly Run[], reason: BuswayError): void {
    const nowMs = performance.now()
    for (const run of runs) {
      run.abort(reason, nowMs)
      this.#watch.aborted(run)
    }
  }

  close(): void {
    this.stop()
    this.#watch.stop()
  }

  async #work(slot: number): Promise<void> {
    for (let run = this.#next(slot); run !== undefined; run = this.#next(slot)) {
      let waited = false
      let staged: readonly StagedPublish[] | undefined
      let result: unknown
      let failure: Failure | undefined
      try {
        const { decode } = this.#subject.pipeline
        if (decode === undefined) run.message.body = decodeBody(run.range, run.index)
        else run.message.body = await this.#decode(run)
      } catch (error) {
        failure = { error, at: 'decode' }
      }
      if (failure === undefined && !run.isAbandoned) {
        try {
          result = this.#invoke(run)
          if (isThenable(result)) {
            waited = true
            result = await result
          }
          if (run.staging !== undefined) {
            waited = true
            staged = await run.staging.all()
          }
        } catch (error) {
          failure = { error, at: 'handler' }
        }
      }
      // Its slot is another's by now, and its outcome is told.
      if (run.isAbandoned) return
      const runMs = this.#ended(run, slot, result, staged, failure, waited)
      // What ended in this turn is settled before the next starts: should that one kill the process, these are not taken for running. Where handlers
      // take no time it would cost more than they do.
      if (waited && runMs >= PAUSING_MS) break
    }
    this.#freeSlots.push(slot)
  }

  /** The next message's run, in this slot; `undefined` if none may start now. */
  #next(slot: number): Run | undefined {
    for (;;) {
      const first = this.#backlog.first
      if (first === undefined || this.#isStopped || this.#soloRuns) return undefined
      if (first.held.solo && this.running > 0) return undefined
      const nowMs = performance.now()
      const { settler } = first.held
      if (settler.isAtRisk && this.running + settler.unconfirmedEnds >= this.#settings.concurrency) return undefined
      if (!this.#hasTime(nowMs)) return undefined

      const range = this.#backlog.take() as HeldRange
      const run = new Run(
        this.#subject,
        new ReceivedMessage(this.#subject.topic, range, this.#backlog.index),
        range,
        this.#backlog.index,
      )
      run.startedMs = nowMs
      if (this.#backlog.size === this.refillAt) this.#host.refill()
      if (range.failure !== undefined && isExhausted(this.#settings.retry, range.failure)) {
        this.#verdicts.exhausted(run)
        this.#passKey(range, false)
        this.#host.progressed()
        continue
      }
      const expiresAtMs = range.expiresAtMs(run.index)
      if (expiresAtMs > 0 && expiresAtMs <= this.#now()) {
        this.#verdicts.expired(run)
        this.#passKey(range, false)
        this.#host.progressed()
        continue
      }
      this.running++
      this.#slots[slot] = run
      this.#soloRuns = range.held.solo
      this.#watch.started(run)
      return run
    }
  }

  /** Whether handlers may go on in this turn of the event loop; if not, they do in the next. */
  #hasTime(nowMs: number): boolean {
    if (!this.#sliceIsOpen) {
      this.#sliceIsOpen = true
      this.#sliceStartMs = nowMs
      setImmediate(() => {
        this.#sliceIsOpen = false
        if (!this.#isStalled) return
        this.#isStalled = false
        this.start()
      })
      return true
    }
    if (nowMs - this.#sliceStartMs < SLICE_MS) return true
    this.#isStalled = true
    return false
  }

  #decode(run: Run): Promise<unknown> {
    const { range, index, message } = run
    // Throws here what the lenient getters of the message would hide.
    const envelope = range.envelope()
    const { headers, contentType = JSON_TYPE } = envelope.extra(index)
    const { topic, id } = message
    return decodeWith(this.#subject.pipeline.decode, { topic, id, headers, contentType, body: envelope.body(index) })
  }

  #ended(
    run: Run,
    slot: number,
    result: unknown,
    staged: readonly StagedPublish[] | undefined,
    failure: Failure | undefined,
    waited: boolean,
  ): number {
    const runMs = performance.now() - run.startedMs
    run.end()
    this.#leave(run, slot)
    this.#pace.observe(runMs, waited)
    // A handler that stops at its signal may well return with its work undone; taken for success, the message would be lost.
    if (failure === undefined && run.abortReason?.code === 'HANDLER_TIMEOUT')
      failure = { error: run.abortReason, at: 'handler' }
    let isRetried = false
    if (run.range.held.settler.isLost) {
      const outcome: Outcome =
        failure === undefined
          ? { kind: 'done', result }
          : { kind: 'retry', error: toError(failure.error), delayMs: 0, counted: true }
      this.#host.refused({ run, outcome, runMs })
    } else if (failure === undefined) this.#verdicts.succeeded(run, result, staged, runMs)
    else if (failure.at === 'decode') isRetried = this.#verdicts.undecodable(run, failure.error, runMs)
    else isRetried = this.#verdicts.failed(run, failure.error, runMs)
    this.#passKey(run.range, isRetried)
    this.#host.progressed()
    return runMs
  }

  /** A message with an ordering key has ended: the next of its key may start, unless it is tried again; then all that stands behind it goes back. */
  #passKey({ key, held }: HeldRange, isRetried: boolean): void {
    if (key === undefined) return
    if (isRetried) for (const range of this.#backlog.takeLine(key)) held.settler.release(range)
    this.#backlog.ended(key)
  }

  #leave(run: Run, slot: number): void {
    this.running--
    this.#slots[slot] = undefined
    if (run.range.held.solo) this.#soloRuns = false
  }

  #timedOut(run: Run, nowMs: number): void {
    const { timeoutMs } = this.#settings
    const reason = new BuswayError(
      'HANDLER_TIMEOUT',
      `The handler ran longer than ${timeoutMs} ms; pass ctx.signal on to what it waits for, or raise timeout`,
    )
    run.log.warn({ timeoutMs }, 'The handler ran into its timeout: ctx.signal is aborted')
    run.abort(reason, nowMs)
  }

  /** The run hangs: it is settled as failed, and whatever it still does is refused. */
  #abandon(run: Run, nowMs: number): void {
    const slot = this.#slots.indexOf(run)
    if (slot < 0) return
    const reason = new BuswayError(
      'LEASE_LOST',
      'The run went on for a lease after its signal was aborted and was given up',
    )
    run.isAbandoned = true
    run.refuse(reason)
    run.end()
    this.#leave(run, slot)
    this.#freeSlots.push(slot)
    const runMs = nowMs - run.startedMs
    this.#pace.observeAtLeast(runMs)
    let isRetried = false
    if (!run.range.held.settler.isLost) {
      const { timeoutMs } = this.#settings
      isRetried = this.#verdicts.failed(
        run,
        new BuswayError('HANDLER_TIMEOUT', `The handler did not return within ${timeoutMs} ms and one lease`),
        runMs,
      )
    }
    this.#passKey(run.range, isRetried)
    this.#host.abandoned(run)
    this.#host.progressed()
  }
}

interface Failure {
  readonly error: unknown
  readonly at: 'decode' | 'handler'
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
