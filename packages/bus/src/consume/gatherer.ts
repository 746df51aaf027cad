/**
 * Gathers deliveries into batches.
 *
 * 1. A delivery is `taken` for a batch when its message starts, and goes through the `handle` chain by itself.
 * 2. The chain's core brings it here (`gather`), where it waits for others. Or it ends on its way; then another may be taken in its place.
 * 3. A batch is cut as soon as one may run and `size` have come, or the first has waited for `waitMs`, or nothing more will come.
 *    Deliveries that still are on their way then belong to the next one. What Redis has already is waited for in any case, for a moment: without that
 *    a slow handler, for which little is held ahead, would get little at a time, however much there is.
 * 4. When the batch has ended, its place is free.
 *
 * Deliveries are taken only for batches that have a place: while all places are taken, messages wait where others can have them.
 */
import { BuswayError, RetryAfterError } from '../errors/index.js'
import { BatchMember, type Settled } from './batch-member.js'
import { BatchRun } from './batch-run.js'
import type { Clock } from './clock.js'
import type { Run, RunSubject } from './run.js'

/** Longer than a fetch takes, where all is well. */
const FETCH_MS = 20

export interface GathererOptions {
  readonly size: number
  readonly waitMs: number
  /** Batches at once. */
  readonly concurrency: number
}

export interface GathererHost {
  /** Takes messages, as far as it may now. */
  take(): void
  /** Whether `take` would take one, in this turn of the event loop or the next. */
  canTake(): boolean
  /** Redis may have more, and is being asked. */
  mayBring(): boolean
  /** Nothing will be taken before what runs has ended. */
  isShut(): boolean
  isExpired(run: Run): boolean
  /** Runs the batch; `ended` must follow. */
  run(batch: BatchRun): void
}

export class Gatherer {
  readonly #subject: RunSubject
  readonly #options: GathererOptions
  readonly #host: GathererHost
  readonly #clock: Clock
  /** In the order of delivery. */
  #gathered: BatchMember[] = []
  #coming = 0
  #sequence = 0
  /** When the first of those that wait came. */
  #firstMs = Number.POSITIVE_INFINITY
  readonly #running = new Set<BatchRun>()
  #cancelTimer: (() => void) | undefined

  constructor(subject: RunSubject, options: GathererOptions, host: GathererHost, clock: Clock) {
    this.#subject = subject
    this.#options = options
    this.#host = host
    this.#clock = clock
  }

  /** Whether another message may be taken. */
  get hasRoom(): boolean {
    return this.#gathering < this.#options.size * this.#places
  }

  /** In messages. A batch that runs occupies its place whole, be it full or not. */
  get occupied(): number {
    return this.#gathering + this.#options.size * this.#running.size
  }

  taken(run: Run): void {
    this.#coming++
    run.member = new BatchMember(run, this.#sequence++)
  }

  /** Inside the chain: calls `settled` when the message's batch has run, or it can't be in one. */
  gather(run: Run, settled: Settled): void {
    const { member } = run
    if (member?.state !== 'coming') throw new BuswayError('LEASE_LOST', 'The run has ended')
    if (run.abortReason !== undefined) throw failureOf(run)
    this.#coming--
    member.gather(this.#clock.nowMs(), settled)
    this.#insert(member)
    if (this.#gathered.length === 1) this.#firstMs = member.arrivedMs
    this.review()
  }

  /** A run ended, whether or not it had come here. */
  ended(run: Run): void {
    const { member } = run
    if (member === undefined) return
    const { state, batch } = member
    member.state = 'ended'
    if (state === 'coming') this.#coming--
    else if (state === 'gathered') this.#gathered.splice(this.#gathered.indexOf(member), 1)
    else batch?.memberEnded(member)
    if (batch?.isGivenUp) this.#running.delete(batch)
    this.review()
  }

  /** A run's signal was aborted. */
  aborted(run: Run): void {
    const { member } = run
    if (member?.state === 'batched') member.batch?.memberAborted(member)
    if (member?.state !== 'gathered') return
    this.#gathered.splice(this.#gathered.indexOf(member), 1)
    member.state = 'coming'
    this.#coming++
    member.fail(failureOf(run))
  }

  batchEnded(batch: BatchRun): void {
    this.#running.delete(batch)
    this.review(true)
  }

  /** Cuts the batches that may run. That one is due is looked at where its timer does not run: the clock is not asked for every delivery. */
  review(mayBeDue = false): void {
    while (this.#mayCut(mayBeDue)) this.#cut()
    this.#arm()
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Taken, and not in a batch that runs. */
  get #gathering(): number {
    return this.#coming + this.#gathered.length
  }

  /** Batches that may begin. */
  get #places(): number {
    return this.#options.concurrency - this.#running.size
  }

  #insert(member: BatchMember): void {
    let at = this.#gathered.length
    while (at > 0 && (this.#gathered[at - 1] as BatchMember).sequence > member.sequence) at--
    if (at === this.#gathered.length) this.#gathered.push(member)
    else this.#gathered.splice(at, 0, member)
  }

  #mayCut(mayBeDue: boolean): boolean {
    if (this.#gathered.length === 0 || this.#places === 0) return false
    if (this.#gathered.length >= this.#options.size) return true
    if (this.#coming === 0 && this.#host.isShut()) return true
    if (!mayBeDue) return false
    const leftMs = this.#leftMs()
    if (leftMs > 0 || this.#host.canTake()) return false
    return leftMs + this.#fetchMs <= 0 || !this.#host.mayBring()
  }

  /** Of the time that the first waits for others. */
  #leftMs(): number {
    return this.#firstMs + this.#options.waitMs - this.#clock.nowMs()
  }

  /** How much longer it waits for what is being fetched. */
  get #fetchMs(): number {
    return Math.max(0, FETCH_MS - this.#options.waitMs)
  }

  #cut(): void {
    const members = this.#gathered.splice(0, this.#options.size).filter((member) => !this.#expires(member))
    this.#firstMs = this.#gathered.reduce((firstMs, { arrivedMs }) => Math.min(firstMs, arrivedMs), Infinity)
    if (members.length === 0) return
    const batch = new BatchRun(this.#subject, members)
    this.#running.add(batch)
    const nowMs = this.#clock.nowMs()
    for (const member of members) member.startedIn(batch, nowMs)
    this.#host.run(batch)
  }

  #expires(member: BatchMember): boolean {
    if (!this.#host.isExpired(member.run)) return false
    member.isExpired = true
    member.state = 'coming'
    this.#coming++
    member.fail(new Error('It expired while it waited for the others of its batch'))
    return true
  }

  /** A timer runs only while something waits that may run when its time has passed. */
  #arm(): void {
    const isWaiting = this.#gathered.length > 0 && this.#places > 0
    if (isWaiting === (this.#cancelTimer !== undefined)) return
    this.stop()
    if (!isWaiting) return
    const leftMs = this.#leftMs()
    const isFetching = leftMs <= 0 && !this.#host.canTake() && this.#host.mayBring()
    this.#cancelTimer = this.#clock.after(Math.max(0, isFetching ? leftMs + this.#fetchMs : leftMs), () => this.#due())
  }

  #due(): void {
    this.#cancelTimer = undefined
    // What is here already fills the batch first.
    this.#host.take()
    this.review(true)
  }
}

function failureOf({ abortReason }: Run): Error {
  // Nothing of it has run yet, so it goes on elsewhere as if nothing had been.
  if (abortReason?.code === 'BUS_CLOSED') return new RetryAfterError(0, { countAttempt: false, cause: abortReason })
  return abortReason ?? new Error('aborted')
}
