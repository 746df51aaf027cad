/**
 * Runs handlers.
 *
 * 1. `start` fills the free slots, at most `concurrency`.
 * 2. A slot takes a message, runs it to its end (single-run.ts), hands that to `Conclusion`, and takes the next, until none is left.
 * 3. A run whose signal was aborted keeps its slot until it returns; one lease later it is abandoned and the slot freed.
 *
 * A message that may have killed a process (`solo`) starts only when nothing else runs, and nothing starts beside it.
 *
 * With a batch handler the slots are its messages' (`size` times the batches at once): each run goes through the `handle` chain by itself, and ends when
 * the batch has run that it joined inside (gatherer.ts).
 */
import { BuswayError } from '../errors/index.js'
import type { AnyBatchHandler, AnyWork } from '../seams.js'
import type { Backlog } from './backlog.js'
import { Batching } from './batching.js'
import { Conclusion, type ConclusionHost } from './conclusion.js'
import type { HeldRange } from './held-range.js'
import { handlerCall, invocation, middlewares } from './invocation.js'
import type { HandlerPace } from './lookahead.js'
import { ReceivedMessage } from './received-message.js'
import { isExhausted } from './retry-policy.js'
import { Run, type RunSubject } from './run.js'
import { RunWatch } from './run-watch.js'
import type { ConsumeSettings } from './settings.js'
import type { Settler } from './settler.js'
import type { Place } from './share.js'
import { type Ending, runner } from './single-run.js'
import type { SuspectTurn } from './suspects.js'
import { TimeSlice } from './time-slice.js'

/** Runs from this length on let settles go before the next message starts. */
const PAUSING_MS = 1

export interface ProcessorHost extends ConclusionHost {
  /** The backlog has come down to where more should be asked for. */
  refill(): void
  /** A run that hung was given up. */
  abandoned(run: Run): void
  /** Redis may have more, and is being asked. */
  mayBring(): boolean
}

export class Processor {
  running = 0
  /** The backlog's size at which `refill` is called. */
  refillAt = 0

  readonly #subject: RunSubject
  readonly #settings: ConsumeSettings
  readonly #run: (run: Run) => Ending | Promise<Ending>
  readonly #backlog: Backlog
  readonly #pace: HandlerPace
  readonly #place: Place | undefined
  readonly #suspects: SuspectTurn
  readonly #host: ProcessorHost
  /** Redis' clock. */
  readonly #now: () => number
  readonly #conclusion: Conclusion
  readonly #watch: RunWatch
  readonly #batching: Batching | undefined
  /** A batch's messages need no middlewares: they join it at once. */
  readonly #joinsAtOnce: boolean
  readonly #slice = new TimeSlice(() => this.start())
  readonly #startAgain = () => this.start()
  readonly #slots: (Run | undefined)[]
  readonly #freeSlots: number[]
  #isStopped = false
  #soloRuns = false
  /** When the last run ended. */
  #endedMs = 0

  constructor(
    subject: RunSubject,
    settings: ConsumeSettings,
    work: AnyWork,
    parts: {
      backlog: Backlog
      pace: HandlerPace
      place?: Place | undefined
      suspects: SuspectTurn
      host: ProcessorHost
      now: () => number
    },
  ) {
    this.#subject = subject
    this.#settings = settings
    this.#backlog = parts.backlog
    this.#pace = parts.pace
    this.#place = parts.place
    this.#suspects = parts.suspects
    this.#host = parts.host
    this.#now = parts.now
    const around = middlewares(subject, settings)
    const batching = work.kind === 'batch' ? this.#newBatching(work.handler) : undefined
    const call = work.kind === 'batch' ? (run: Run) => batching?.call(run) : handlerCall(work.handler)
    this.#batching = batching
    this.#joinsAtOnce = batching !== undefined && around === undefined && subject.pipeline.decode === undefined
    this.#run = runner(subject, invocation(call, around))
    this.#conclusion = new Conclusion(subject, settings, parts.backlog, parts.host)
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

  /** Places that are taken, in messages. A batch that runs takes its place whole. */
  get occupied(): number {
    return this.#batching === undefined ? this.running : Math.max(this.running, this.#batching.gatherer.occupied)
  }

  /** What runs now. */
  runs(): Run[] {
    return this.#slots.filter((run) => run !== undefined)
  }

  start(): void {
    this.#fill()
    this.#batching?.gatherer.review(true)
  }

  #fill(): void {
    while (!this.#isStopped && this.#backlog.size > 0 && !this.#slice.isOver) {
      const slot = this.#freeSlots.pop()
      if (slot === undefined) return
      const before = this.#backlog.size
      if (this.#joinsAtOnce) this.#join(slot)
      else void this.#work(slot)
      // Nothing could be taken: a solo message waits, or is running.
      if (this.#backlog.size === before) return
    }
  }

  /** Starts nothing more; what runs goes on. */
  stop(): void {
    this.#isStopped = true
    this.#batching?.gatherer.review()
  }

  resume(): void {
    this.#isStopped = false
    this.start()
  }

  /** Aborts what runs under this session, which is over, and refuses what it will still publish. */
  lost(settler: Settler, reason: BuswayError): Run[] {
    const runs = this.runs().filter((run) => run.range.held.settler === settler)
    for (const run of runs) {
      run.refuse(reason)
      run.member?.batch?.refuse(reason)
    }
    this.abort(runs, reason)
    return runs
  }

  /** Aborts the run of message `index`; or it ends unstarted. */
  cancel(range: HeldRange, index: number): void {
    const run = this.runs().find((run) => run.range === range && run.index === index)
    if (run !== undefined) {
      this.abort([run], new BuswayError('CANCELLED', 'The message was cancelled'))
    } else if (this.#backlog.withdraw(range, index)) {
      const message = new ReceivedMessage(this.#subject.topic, range, index)
      this.#conclusion.cancelled(new Run(this.#subject, message, range, index))
    }
  }

  abort(runs: readonly Run[], reason: BuswayError): void {
    const nowMs = performance.now()
    for (const run of runs) {
      this.#abort(run, reason, nowMs)
      this.#watch.aborted(run)
    }
  }

  close(): void {
    this.stop()
    this.#batching?.gatherer.stop()
    this.#watch.stop()
    this.#suspects.ended(this)
  }

  async #work(slot: number): Promise<void> {
    // The end of one is the begin of the next: one look at the clock.
    for (let run = this.#next(slot); run !== undefined; run = this.#next(slot, this.#endedMs)) {
      let ending = this.#run(run)
      if (ending instanceof Promise) ending = await ending
      // Its slot is another's by now, and its outcome is told.
      if (run.isAbandoned) return
      const runMs = this.#ended(run, ending)
      // What ended in this turn is settled before the next starts: should that one kill the process, these are not taken for running. Where handlers
      // take no time it would cost more than they do.
      if (ending.waited && runMs >= PAUSING_MS) break
    }
    this.#freeSlots.push(slot)
  }

  #join(slot: number): void {
    const run = this.#next(slot)
    if (run === undefined) this.#freeSlots.push(slot)
    else this.#batching?.join(run, this.#joinEnded)
  }

  readonly #joinEnded = (run: Run, ending: Ending): void => {
    if (run.isAbandoned) return
    this.#ended(run, ending)
    this.#freeSlots.push(run.slot)
  }

  #ended(run: Run, ending: Ending): number {
    this.#endedMs = performance.now()
    const runMs = run.ranMs(this.#endedMs)
    run.end()
    this.#leave(run)
    if (run.member?.isSample !== false) this.#pace.observe(runMs, ending.waited)
    this.#conclusion.ended(run, ending, runMs)
    return runMs
  }

  /** The next message's run, in this slot; `undefined` if none may start now. */
  #next(slot: number, beginMs = performance.now()): Run | undefined {
    for (let nowMs = beginMs; ; nowMs = performance.now()) {
      const first = this.#backlog.first
      if (first === undefined || !this.#mayStart(first)) return undefined
      if (!this.#slice.has(nowMs)) return undefined

      const range = this.#backlog.take() as HeldRange
      const message = new ReceivedMessage(this.#subject.topic, range, this.#backlog.index)
      const run = new Run(this.#subject, message, range, this.#backlog.index)
      run.startedMs = nowMs
      run.slot = slot
      const mustRefill = this.#backlog.size === this.refillAt
      if (range.failure !== undefined && isExhausted(this.#settings.retry, range.failure)) {
        this.#conclusion.exhausted(run)
        if (mustRefill) this.#host.refill()
        continue
      }
      if (this.#isExpired(run)) {
        this.#conclusion.expired(run)
        if (mustRefill) this.#host.refill()
        continue
      }
      this.running++
      this.#place?.started()
      this.#slots[slot] = run
      this.#soloRuns = range.held.solo
      if (range.held.solo) this.#suspects.started(this)
      this.#batching?.gatherer.taken(run)
      this.#watch.started(run)
      // What runs counts as held.
      if (mustRefill) this.#host.refill()
      return run
    }
  }

  #isExpired({ range, index }: Run): boolean {
    const expiresAtMs = range.expiresAtMs(index)
    return expiresAtMs > 0 && expiresAtMs <= this.#now()
  }

  #mayStart({ held: { solo, settler } }: HeldRange): boolean {
    if (this.#isStopped || this.#soloRuns) return false
    if (solo && this.running > 0) return false
    if (this.#batching?.gatherer.hasRoom === false) return false
    if (settler.isAtRisk && this.running + settler.unconfirmedEnds >= this.#settings.concurrency) return false
    if (solo && !this.#suspects.mayStart(this, this.#startAgain)) return false
    // Last: who asks for a place in vain is called when there is one.
    return this.#place?.mayStart(solo) !== false
  }

  #leave(run: Run): void {
    this.running--
    this.#place?.ended()
    this.#slots[run.slot] = undefined
    if (run.range.held.solo) {
      this.#soloRuns = false
      this.#suspects.ended(this)
    }
    this.#batching?.gatherer.ended(run)
  }

  #abort(run: Run, reason: BuswayError, nowMs: number): void {
    if (run.abortReason !== undefined) return
    run.abort(reason, nowMs)
    this.#batching?.gatherer.aborted(run)
  }

  #newBatching(handler: AnyBatchHandler): Batching | undefined {
    const { batch } = this.#settings
    if (batch === undefined) return undefined
    return new Batching(this.#subject, batch, handler, {
      take: () => this.#fill(),
      canTake: () => {
        const { first } = this.#backlog
        return first !== undefined && this.#freeSlots.length > 0 && this.#mayStart(first)
      },
      mayBring: () => this.#host.mayBring(),
      isShut: () => this.#isStopped || this.#soloRuns,
      isExpired: (run) => this.#isExpired(run),
      watch: (run) => this.#watch.started(run),
      // As for runs: what took its time is settled before the next starts.
      batchEnded: (ranMs) => {
        if (ranMs < PAUSING_MS) this.start()
      },
    })
  }

  #timedOut(run: Run, nowMs: number): void {
    const { timeoutMs } = this.#settings
    const reason = new BuswayError(
      'HANDLER_TIMEOUT',
      `The handler ran longer than ${timeoutMs} ms; pass ctx.signal on to what it waits for, or raise timeout`,
    )
    // A batch says it once.
    if (run.member?.batch === undefined)
      run.log.warn({ timeoutMs }, 'The handler ran into its timeout: ctx.signal is aborted')
    this.#abort(run, reason, nowMs)
  }

  /** The run hangs: it is settled as failed, and whatever it still does is refused. */
  #abandon(run: Run, nowMs: number): void {
    if (this.#slots[run.slot] !== run) return
    const reason = new BuswayError(
      'LEASE_LOST',
      'The run went on for a lease after its signal was aborted and was given up',
    )
    run.isAbandoned = true
    run.refuse(reason)
    run.end()
    this.#leave(run)
    this.#freeSlots.push(run.slot)
    const runMs = run.ranMs(nowMs)
    this.#pace.observeAtLeast(runMs)
    this.#conclusion.abandoned(run, runMs)
    this.#host.abandoned(run)
  }
}
