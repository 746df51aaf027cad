/** The attributes of measurements: a bounded number of sets, each of them one object. */
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

type Operation = 'send' | 'receive' | 'process' | 'settle'

/** All sets of one topic, or of one group of it. */
class Place {
  readonly plain: Attributes
  readonly #made = new Map<string, Attributes>()

  constructor(topic: string, group: string | undefined) {
    const plain: Attributes = { [attribute.system]: 'redis', [attribute.destination]: topic }
    if (group !== undefined) plain[attribute.group] = group
    this.plain = plain
  }

  /** `name`: of what `more` makes, here. */
  with(name: string, more: () => Attributes): Attributes {
    let made = this.#made.get(name)
    if (made === undefined) {
      made = { ...this.plain, ...more() }
      this.#made.set(name, made)
    }
    return made
  }
}

/** Each set is made once: who counts by the object finds it again. None of them is to be changed. */
export class Labels {
  readonly #topics: Bounded
  readonly #errors = new Bounded(MOST_ERRORS, OTHER_ERROR)
  readonly #places = new Map<string, Map<string | undefined, Place>>()

  /** `onFull`: is told of the first topic that is not told apart. */
  constructor(maxTopics: number, onFull: (topic: string) => void) {
    this.#topics = new Bounded(maxTopics, OTHER_TOPIC, onFull)
  }

  of(topic: string, group?: string): Attributes {
    return this.#place(topic, group).plain
  }

  operation(name: Operation, topic: string, group?: string, error?: unknown): Attributes {
    const place = this.#place(topic, group)
    const operation = () => ({ [attribute.operationName]: name, [attribute.operationType]: name })
    if (error === undefined) return place.with(name, operation)
    const type = this.errorType(error)
    return place.with(`${name} ${type}`, () => ({ ...operation(), [attribute.errorType]: type }))
  }

  failed(topic: string, group: string, error: unknown): Attributes {
    const type = this.errorType(error)
    return this.#place(topic, group).with(`failed ${type}`, () => ({ [attribute.errorType]: type }))
  }

  /** Of a dead letter. */
  dead(topic: string, group: string, reason: string): Attributes {
    return this.#place(topic, group).with(`dead ${reason}`, () => ({ [attribute.reason]: reason }))
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

  #place(topic: string, group: string | undefined): Place {
    const name = this.#topics.of(topic)
    let groups = this.#places.get(name)
    if (groups === undefined) {
      groups = new Map()
      this.#places.set(name, groups)
    }
    let place = groups.get(group)
    if (place === undefined) {
      place = new Place(name, group)
      groups.set(group, place)
    }
    return place
  }
}
