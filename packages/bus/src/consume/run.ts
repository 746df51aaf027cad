/** One run of a handler over one message: what the handler and the plugins see of it, and what can still be done with it. */
import type { StagedPublish } from '@busway/lua'
import type { Delivery, GuardArgs, Logger } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Pipeline, Publisher } from '../seams.js'
import type { HeldRange } from './held-range.js'
import type { ReceivedMessage } from './received-message.js'
import { encodeProgress, RunProgress } from './run-progress.js'
import { Staging } from './staging.js'
import type { Watching } from './watching.js'

/** What all runs of a subscription share. */
export interface RunSubject {
  readonly topic: string
  readonly group: string
  readonly options: Readonly<Record<string, unknown>>
  readonly publisher: Publisher
  readonly pipeline: Pipeline
  readonly watching: Watching
  readonly log: Logger
}

export class Run implements Delivery {
  readonly message: ReceivedMessage
  readonly range: HeldRange
  readonly index: number
  readonly subject: RunSubject
  /** By the monotonic clock. */
  startedMs = 0
  /** When its signal was aborted; 0 if it was not. */
  abortedMs = 0
  /** It is settled already, or can't be: its slot is another's, and what it still does is refused. */
  isAbandoned = false
  staging: Staging | undefined

  #aborted: BuswayError | undefined
  /** Why it may publish no more, before its end. */
  #refused: BuswayError | undefined
  #isEnded = false
  #controller: AbortController | undefined
  #settle: Map<string, GuardArgs> | undefined
  #publish: Delivery['publish'] | undefined
  #progress: RunProgress | undefined
  #log: Logger | undefined

  constructor(subject: RunSubject, message: ReceivedMessage, range: HeldRange, index: number) {
    this.subject = subject
    this.message = message
    this.range = range
    this.index = index
  }

  get group(): string {
    return this.subject.group
  }

  get options(): Readonly<Record<string, unknown>> {
    return this.subject.options
  }

  /** Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  get settle(): Map<string, GuardArgs> {
    this.#settle ??= new Map()
    return this.#settle
  }

  get settleArgs(): ReadonlyMap<string, GuardArgs> | undefined {
    return this.#settle
  }

  get log(): Logger {
    this.#log ??= this.subject.log.child({
      messageId: this.message.id,
      attempt: this.message.attempt,
      ...this.subject.pipeline.logBindings(),
    })
    return this.#log
  }

  /** A function of its own, so that it can be taken off the context. */
  get publish(): Delivery['publish'] {
    this.#publish ??= (topic, body, options) => this.#stage(topic, body, options)
    return this.#publish
  }

  get progress(): (value: unknown) => void {
    return (value) => {
      const json = encodeProgress(value)
      const { watching } = this.subject
      if (!watching.isOn || this.#isEnded || this.#refused !== undefined) return
      this.#progress ??= new RunProgress((value) => {
        const { lease, from, held } = this.range
        const { attempt } = this.message
        return watching.tell({ ...held.holder, lease, index: from + this.index, attempt, value })
      })
      this.#progress.set(json)
    }
  }

  #stage(topic: string, body: unknown, options: Record<string, unknown> = {}): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    this.staging ??= new Staging()
    return this.staging.add(this.#encode(topic, body, options), () => this.#refusal())
  }

  // Async, so that whatever is thrown rejects.
  async #encode(topic: string, body: unknown, options: Record<string, unknown>): Promise<StagedPublish> {
    return this.subject.publisher.stage(topic, body, options)
  }

  #refusal(): BuswayError | undefined {
    if (this.#refused !== undefined) return this.#refused
    return this.#isEnded
      ? new BuswayError('LEASE_LOST', 'The run has ended: await ctx.publish before the handler returns')
      : undefined
  }

  /** Why its signal was aborted, if it was. */
  get abortReason(): BuswayError | undefined {
    return this.#aborted
  }

  abort(reason: BuswayError, atMs: number): void {
    if (this.#aborted !== undefined) return
    this.#aborted = reason
    this.abortedMs = atMs
    this.#controller?.abort(reason)
  }

  /** From here on `publish` rejects with this. */
  refuse(reason: BuswayError): void {
    this.#refused ??= reason
  }

  /** The handler returned or threw, and what it had staged is encoded. */
  end(): void {
    this.#isEnded = true
    this.#progress?.end()
  }
}
