/** Topics with partitions, for buses of tests. */
import { defineTopics, type TopicOptions, type Topics, type } from '@busway/bus'

/** All of them with the same options; bodies are what a test publishes. */
export const topicsWith = (options: TopicOptions, ...names: readonly string[]): Topics<Record<string, unknown>> =>
  // Its type names no topics, so that buses with it are of the type of those without.
  defineTopics(
    Object.fromEntries(names.map((name) => [name, { body: type<unknown>(), ...options }])),
  ) as unknown as Topics<Record<string, unknown>>
