/** One run of a handler over one message: what the handler and the plugins see of it, and what can still be done with it. */
import type { Delivery, GuardArgs, Logger } from '../api/index.js'
import type { Pipeline, Publisher } from '../seams.js'
import type { BatchMember } from './batch-member.js'
import type { HeldRange } from './held-range.js'
import type { ReceivedMessage } from './received-message.js'
import { encodeProgress, RunProgress } from './run-progress.js'
import { RunScope } from './run-scope.js'
import type { Watching } from './watching.js'

/** What all runs of a subscription share. */
export interface RunSubject {
  readonly topic: string
  readonly group: string
  readonly options: Readonly<Record<string, unknown>>
  /** Of the topic, this being a run in one of them. */
  readonly partitions: number
  readonly publisher: Publisher
  readonly pipeline: Pipeline
  readonly watching: Watching
  readonly log: Logger
}

export class Run extends RunScope implements Delivery {
  readonly message: ReceivedMessage
  readonly range: HeldRange
  readonly index: number
  readonly subject: RunSubject
  /** By the monotonic clock. */
  startedMs = 0
  /** Its place in the processor. */
  slot = -1
  /** It is settled already, or can't be: its slot is another's, and what it still does is refused. */
  isAbandoned = false
  /** Its place in a batch, if its subscription has a batch handler. */
  member: BatchMember | undefined

  #settle: Map<string, GuardArgs> | undefined
  #progress: RunProgress | undefined
  #log: Logger | undefined

  constructor(subject: RunSubject, message: ReceivedMessage, range: HeldRange, index: number) {
    super(subject.publisher)
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

  get bodyBytes(): number {
    try {
      return this.range.envelope().body(this.index).byteLength
    } catch {
      return 0
    }
  }

  get inBatch(): boolean {
    return this.member !== undefined
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

  /** Since when its time limit counts. It does not while it waits for others of its batch. */
  get limitedFromMs(): number {
    return this.member === undefined ? this.startedMs : this.member.limitedFromMs
  }

  /** How long it ran, without the time that it waited for others of its batch. */
  ranMs(nowMs: number): number {
    return nowMs - this.startedMs - (this.member?.gatheredMs ?? 0)
  }

  get progress(): (value: unknown) => void {
    return (value) => {
      const json = encodeProgress(value)
      const { watching } = this.subject
      if (!watching.isOn || this.isOver) return
      this.#progress ??= new RunProgress((value) => {
        const { lease, from, held } = this.range
        const { attempt } = this.message
        return watching.tell({ ...held.holder, lease, index: from + this.index, attempt, value })
      })
      this.#progress.set(json)
    }
  }

  override end(): void {
    super.end()
    this.#progress?.end()
  }
}
