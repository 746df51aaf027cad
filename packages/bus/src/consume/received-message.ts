/** A message as a handler gets it. Made for every run, so it holds little and reads the rest when asked. */
import { inspect } from 'node:util'
import type { Message } from '../api/index.js'
import { type DecodedExtra, JSON_TYPE } from '../wire/index.js'
import type { HeldRange } from './held-range.js'

const unknownExtra: DecodedExtra = Object.freeze({ headers: Object.freeze({}) })

export class ReceivedMessage implements Message {
  readonly topic: string
  /** Set once, before the handler sees it. */
  body: unknown = undefined
  readonly #range: HeldRange
  readonly #index: number
  #id: string | undefined
  #extra: DecodedExtra | undefined

  constructor(topic: string, range: HeldRange, index: number) {
    this.topic = topic
    this.#range = range
    this.#index = index
  }

  get id(): string {
    this.#id ??= this.#range.messageId(this.#index)
    return this.#id
  }

  get type(): string {
    return this.#extras().type ?? this.topic
  }

  get source(): string {
    return this.#envelope()?.source ?? ''
  }

  get time(): Date {
    return new Date(this.timeMs)
  }

  /** Milliseconds since 1970; 0 if the envelope does not say. */
  get timeMs(): number {
    return this.#envelope()?.timeMs ?? 0
  }

  get key(): string | undefined {
    return this.#envelope()?.keyOf(this.#index)
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#extras().headers
  }

  get contentType(): string {
    return this.#extras().contentType ?? JSON_TYPE
  }

  get attempt(): number {
    return (this.#range.failure?.attempts ?? 0) + 1
  }

  get redelivered(): boolean {
    return this.#range.held.redelivered || this.#range.again || this.#range.failure !== undefined
  }

  /** Fields that are getters would not show otherwise. */
  toJSON(): Record<string, unknown> {
    const { id, topic, type, source, time, key, headers, body, contentType, attempt, redelivered } = this
    return { id, topic, type, source, time, key, headers, body, contentType, attempt, redelivered }
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON()
  }

  // A message whose envelope is unreadable goes to the dead letters; observers see it on its way there.
  #envelope(): ReturnType<HeldRange['envelope']> | undefined {
    try {
      return this.#range.envelope()
    } catch {
      return undefined
    }
  }

  #extras(): DecodedExtra {
    if (this.#extra === undefined) {
      try {
        this.#extra = this.#range.envelope().extra(this.#index)
      } catch {
        this.#extra = unknownExtra
      }
    }
    return this.#extra
  }
}
