import { integer, list, text } from '../codec.js'
import type { Script } from '../contract.js'
import type {
  AddPatternReply,
  GroupPattern,
  RegisterTopicReply,
  RegisterTopicRequest,
  UnregisterTopicRequest,
} from '../contract-registry.js'

/** Where the namespace's own keys are: given to these scripts in place of a topic. */
export const REGISTRY = '$bus'

export const registerTopic: Script<RegisterTopicRequest, RegisterTopicReply> = {
  name: 'register-topic',
  args: ({ topic, partitions }) => [topic, partitions],
  reply(raw) {
    const [nowMs, patterns, partitions] = list(raw)
    return {
      nowMs: integer(nowMs),
      partitions: integer(partitions),
      patterns: list(patterns).map((field) => groupPattern(text(field))),
    }
  },
}

export const unregisterTopic: Script<UnregisterTopicRequest, { nowMs: number }> = {
  name: 'unregister-topic',
  args: ({ topic }) => [topic],
  reply: (raw) => ({ nowMs: integer(raw) }),
}

/** The field of the registry's `meta` with a topic's number of partitions, where that is not 1. */
export const partitionsField = (topic: string): string => `partitions:${topic}`

export const addPattern: Script<GroupPattern, AddPatternReply> = {
  name: 'add-pattern',
  args: ({ group, pattern }) => [group, pattern],
  reply(raw) {
    const [nowMs = 0, kept, count = 0] = list(raw).map(integer)
    return { nowMs, kept: kept === 1, count }
  },
}

/** The field of `patterns`: neither name has a space. */
export const patternField = ({ group, pattern }: GroupPattern): string => `${group} ${pattern}`

export function groupPattern(field: string): GroupPattern {
  const space = field.indexOf(' ')
  return { group: field.slice(0, space), pattern: field.slice(space + 1) }
}
