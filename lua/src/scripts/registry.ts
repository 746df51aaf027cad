import { integer, list, text } from '../codec.js'
import type { Script } from '../contract.js'
import type { AddPatternReply, GroupPattern, RegisterTopicReply, RegisterTopicRequest } from '../contract-registry.js'

/** Where the namespace's own keys are: given to these scripts in place of a topic. */
export const REGISTRY = '$bus'

export const registerTopic: Script<RegisterTopicRequest, RegisterTopicReply> = {
  name: 'register-topic',
  args: ({ topic }) => [topic],
  reply(raw) {
    const [nowMs, patterns] = list(raw)
    return { nowMs: integer(nowMs), patterns: list(patterns).map((field) => groupPattern(text(field))) }
  },
}

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
