/** One run of a batch handler: its messages, in the order of delivery, and what the handler can do while it runs. */
import type { BatchContext, ConsumeContext, Logger, Message } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { BatchMember } from './batch-member.js'
import { contextOf } from './handler-context.js'
import type { Run, RunSubject } from './run.js'
import { RunScope } from './run-scope.js'

export class BatchRun extends RunScope {
  readonly members: readonly BatchMember[]
  readonly runs: readonly Run[]
  readonly subject: RunSubject
  /** All its messages have ended before it: it holds no place any more, and what comes of it is refused. */
  isGivenUp = false

  /** Members that have not ended, and those of them whose signals were aborted. */
  #open: number
  #openAborted = 0
  #log: Logger | undefined

  constructor(subject: RunSubject, members: readonly BatchMember[]) {
    super(subject.publisher)
    this.subject = subject
    this.members = members
    this.runs = members.map(({ run }) => run)
    this.#open = members.length
  }

  get log(): Logger {
    this.#log ??= this.subject.log.child({ messages: this.members.length, ...this.subject.pipeline.logBindings() })
    return this.#log
  }

  /** A message's signal was aborted. Once all are, so is the batch's. */
  memberAborted({ run }: BatchMember): void {
    this.#openAborted++
    this.#abortIfAllAre(run)
  }

  memberEnded({ run }: BatchMember): void {
    this.#open--
    if (run.abortReason !== undefined) this.#openAborted--
    if (this.#open > 0) {
      this.#abortIfAllAre(run)
      return
    }
    this.isGivenUp = true
    this.refuse(new BuswayError('LEASE_LOST', 'All messages of the batch have ended: its run was given up'))
  }

  #abortIfAllAre({ abortReason, abortedMs }: Run): void {
    if (this.#openAborted < this.#open || abortReason === undefined || this.abortReason !== undefined) return
    if (abortReason.code === 'HANDLER_TIMEOUT')
      this.log.warn('The batch handler ran into its timeout: ctx.signal is aborted')
    this.abort(abortReason, abortedMs)
  }
}

/** A batch handler's second argument. Everything on it is made when first used. */
export class BatchHandlerContext implements BatchContext {
  readonly #batch: BatchRun
  #runs: Map<unknown, Run> | undefined
  readonly #contexts = new Map<Run, ConsumeContext>()

  constructor(batch: BatchRun) {
    this.#batch = batch
  }

  get group(): string {
    return this.#batch.subject.group
  }

  get signal(): AbortSignal {
    return this.#batch.signal
  }

  get log(): Logger {
    return this.#batch.log
  }

  get publish(): BatchContext['publish'] {
    return this.#batch.publish as BatchContext['publish']
  }

  /** A function of its own, so that it can be taken off the context. */
  get of(): BatchContext['of'] {
    return (message) => this.#contextOf(message)
  }

  #contextOf(message: Message): ConsumeContext {
    this.#runs ??= new Map(this.#batch.runs.map((run) => [run.message, run]))
    const run = this.#runs.get(message)
    if (run === undefined)
      throw new BuswayError(
        'INVALID_OPTIONS',
        'ctx.of: that is no message of this batch; give it one as the handler got it.',
      )
    const known = this.#contexts.get(run)
    if (known !== undefined) return known
    const context = contextOf(run)
    this.#contexts.set(run, context)
    return context
  }
}
