/** The attributes of measurements, kept to a bounded number of values. */
import type { Attributes } from '@opentelemetry/api'

export const attribute = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  group: 'messaging.consumer.group.name',
  errorType: 'error.type',
  reason: 'busway.dead_letter.reason',
} as const

const OTHER_TOPIC = 'other'
/** By the conventions. */
const OTHER_ERROR = '_OTHER'
const MOST_ERRORS = 100

/** The first `max` values as they are, the rest as one. */
class Bounded {
  readonly #known = new Set<string>()
  readonly #max: number
  readonly #other: string
  readonly #onFull: (value: string) => void
  #isFull = false

  constructor(max: number, other: string, onFull: (value: string) => void = () => {}) {
    this.#max = max
    this.#other = other
    this.#onFull = onFull
  }

  of(value: string): string {
    if (this.admits(value)) return value
    if (!this.#isFull) this.#onFull(value)
    this.#isFull = true
    return this.#other
  }

  /** Whether it is one of the first. */
  admits(value: string): boolean {
    if (this.#known.has(value)) return true
    if (this.#known.size >= this.#max) return false
    this.#known.add(value)
    return true
  }

  values(): string[] {
    return [...this.#known]
  }
}

export class Labels {
  readonly #topics: Bounded
  readonly #errors = new Bounded(MOST_ERRORS, OTHER_ERROR)

  /** `onFull`: is told of the first topic that is not told apart. */
  constructor(maxTopics: number, onFull: (topic: string) => void) {
    this.#topics = new Bounded(maxTopics, OTHER_TOPIC, onFull)
  }

  of(topic: string, group?: string): Attributes {
    const attributes: Attributes = { [attribute.system]: 'redis', [attribute.destination]: this.#topics.of(topic) }
    if (group !== undefined) attributes[attribute.group] = group
    return attributes
  }

  operation(
    name: 'send' | 'receive' | 'process' | 'settle',
    topic: string,
    group?: string,
    error?: unknown,
  ): Attributes {
    const attributes = this.of(topic, group)
    attributes[attribute.operationName] = name
    attributes[attribute.operationType] = name
    if (error !== undefined) attributes[attribute.errorType] = this.errorType(error)
    return attributes
  }

  /** The code of an error that has one, else its class. */
  errorType(error: unknown): string {
    if (!(error instanceof Error)) return OTHER_ERROR
    const { code } = error as { code?: unknown }
    return this.#errors.of(typeof code === 'string' && code !== '' ? code : error.name)
  }

  /** Whether the topic is told apart. */
  tellsApart(topic: string): boolean {
    return this.#topics.admits(topic)
  }

  /** The topics that have been seen and are told apart. */
  topics(): string[] {
    return this.#topics.values()
  }
}
