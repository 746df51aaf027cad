/** The topics that one bus may use: those defined, or any; and those of its plugins. */
import type { TopicDefinition, Topics } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { checkTopic, checkTopicOrPattern, isPattern, shown } from '../validate/names.js'
import { nearest } from '../validate/nearest.js'

export class Catalog {
  readonly definitions: Readonly<Record<string, TopicDefinition>>
  readonly #isClosed: boolean
  readonly #hasPlugins: () => boolean

  /** `hasPlugins`: topics that begin with `$` are allowed, since a plugin may own them. */
  constructor(topics: Topics<object> | undefined, hasPlugins: () => boolean) {
    this.definitions = topics?.definitions ?? {}
    this.#isClosed = topics?.definitions !== undefined
    this.#hasPlugins = hasPlugins
  }

  definition(topic: string): TopicDefinition | undefined {
    return Object.hasOwn(this.definitions, topic) ? this.definitions[topic] : undefined
  }

  /** As this bus says; 1 if it says nothing. */
  partitions(topic: string): number {
    return this.definition(topic)?.partitions ?? 1
  }

  /** Throws INVALID_TOPIC. */
  check(topic: unknown): asserts topic is string {
    checkTopic(topic, this.#hasPlugins())
    this.#checkDefined(topic)
  }

  /** A topic, or a pattern over topics. Throws INVALID_TOPIC. */
  checkSource(topic: unknown): asserts topic is string {
    checkTopicOrPattern(topic, this.#hasPlugins())
    if (!isPattern(topic)) this.#checkDefined(topic)
  }

  #checkDefined(topic: string): void {
    if (!this.#isClosed || topic.startsWith('$') || Object.hasOwn(this.definitions, topic)) return
    const near = nearest(topic, Object.keys(this.definitions))
    const advice =
      near === undefined ? 'Add it to defineTopics.' : `Did you mean ${shown(near)}? Otherwise add it to defineTopics.`
    throw new BuswayError('INVALID_TOPIC', `The topic ${shown(topic)} is not defined. ${advice}`, {
      details: { topic, nearest: near },
    })
  }
}
