/** What a handler can do while it runs, over one message or over a batch: publish with its settle, and learn by its signal that it should stop. */
import type { StagedPublish } from '@busway/lua'
import type { Delivery } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Publisher } from '../seams.js'
import { Staging } from './staging.js'

export class RunScope {
  /** When its signal was aborted; 0 if it was not. */
  abortedMs = 0
  staging: Staging | undefined

  readonly #publisher: Publisher
  #aborted: BuswayError | undefined
  /** Why it may publish no more, before its end. */
  #refused: BuswayError | undefined
  #isEnded = false
  #controller: AbortController | undefined
  #publish: Delivery['publish'] | undefined

  constructor(publisher: Publisher) {
    this.#publisher = publisher
  }

  /** Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  /** A function of its own, so that it can be taken off the context. */
  get publish(): Delivery['publish'] {
    this.#publish ??= (topic, body, options) => this.#stage(topic, body, options)
    return this.#publish
  }

  #stage(topic: string, body: unknown, options: Record<string, unknown> = {}): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    this.staging ??= new Staging()
    return this.staging.add(this.#encode(topic, body, options), () => this.#refusal())
  }

  // Async, so that whatever is thrown rejects.
  async #encode(topic: string, body: unknown, options: Record<string, unknown>): Promise<StagedPublish> {
    return this.#publisher.stage(topic, body, options)
  }

  #refusal(): BuswayError | undefined {
    if (this.#refused !== undefined) return this.#refused
    return this.#isEnded
      ? new BuswayError('LEASE_LOST', 'The run has ended: await ctx.publish before the handler returns')
      : undefined
  }

  /** It has ended, or what it does is refused. */
  get isOver(): boolean {
    return this.#isEnded || this.#refused !== undefined
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
  }
}
