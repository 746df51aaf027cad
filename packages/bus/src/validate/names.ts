/** Names of topics, groups and services, and patterns over topics. */
import { REGISTRY } from '@busway/lua'
import { BuswayError } from '../errors/busway-error.js'

const token = /^[A-Za-z0-9_-]+$/
const groupName = /^[A-Za-z0-9._-]{1,100}$/
/** Topics of plugins (`$schedule`), of which users may not make any. */
const internal = /^\$[A-Za-z0-9._-]{1,199}$/

/** As text that is safe to print whole, whatever was passed. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : typeof value
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}..." (${value.length} characters)` : text
}

const topicRule = 'A topic is 1 to 200 of A-Z a-z 0-9 . _ - in tokens separated by single dots, such as "orders.paid"'

/**
 * Checks the name of a topic. Names that begin with `$` are plugins' own; ask for them with `allowInternal`.
 * Throws INVALID_TOPIC.
 */
export function checkTopic(name: unknown, allowInternal = false): asserts name is string {
  if (typeof name === 'string' && isTopic(name)) return
  if (typeof name === 'string' && internal.test(name)) {
    if (name === REGISTRY)
      throw new BuswayError(
        'INVALID_TOPIC',
        `The topic ${shown(name)} is where the bus keeps the list of topics. ${topicRule}.`,
      )
    if (allowInternal) return
    throw new BuswayError(
      'INVALID_TOPIC',
      `The topic ${shown(name)} begins with $, which is kept for plugins. ${topicRule}.`,
    )
  }
  throw new BuswayError('INVALID_TOPIC', `The topic ${shown(name)} is not allowed: ${topicFault(name)}. ${topicRule}.`)
}

function isTopic(name: string): boolean {
  if (name.length === 0 || name.length > 200 || name === '__proto__') return false
  return name.split('.').every((part) => token.test(part))
}

function topicFault(name: unknown): string {
  if (typeof name !== 'string') return 'it is no string'
  if (name.length === 0) return 'it is empty'
  if (name.length > 200) return `it has ${name.length} characters`
  if (name === '__proto__') return 'it is the name of a part of JavaScript'
  if (/[*>]/.test(name)) return 'patterns are for consume, a publish names one topic'
  const foreign = /[^A-Za-z0-9._-]/u.exec(name)?.[0]
  if (foreign !== undefined) return `it has ${JSON.stringify(foreign)} in it`
  return 'one of its tokens is empty'
}

/** Whether `name` has wildcards: `*` is one token, `>` (last) the rest. */
export const isPattern = (name: string): boolean => name.includes('*') || name.includes('>')

/** Checks a topic or a pattern. Throws INVALID_TOPIC. */
export function checkTopicOrPattern(name: unknown, allowInternal = false): asserts name is string {
  if (typeof name !== 'string' || !isPattern(name)) return checkTopic(name, allowInternal)
  const parts = name.split('.')
  const fits = parts.every((part, i) => part === '*' || (part === '>' && i === parts.length - 1) || token.test(part))
  if (name.length <= 200 && fits) return
  throw new BuswayError(
    'INVALID_TOPIC',
    `The pattern ${shown(name)} is not allowed. In a pattern * stands for one whole token and > (last) for the rest, such as "orders.*" or "orders.>".`,
  )
}

/** Checks a consumer group's name; plugins' groups may begin with `$`. Throws INVALID_GROUP. */
export function checkGroup(name: unknown): asserts name is string {
  if (
    typeof name === 'string' &&
    name !== '__proto__' &&
    (groupName.test(name) || (internal.test(name) && name.length <= 100))
  )
    return
  throw new BuswayError(
    'INVALID_GROUP',
    `The group ${shown(name)} is not allowed. A group is 1 to 100 of A-Z a-z 0-9 . _ -.`,
  )
}

/** Checks a service's name: it is the default group. Throws INVALID_OPTIONS. */
export function checkService(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '__proto__' && groupName.test(name)) return
  throw new BuswayError(
    'INVALID_OPTIONS',
    `service: ${shown(name)} is not allowed. Name the service with 1 to 100 of A-Z a-z 0-9 . _ -; it is the default consumer group and the source of its messages.`,
  )
}

/** Checks a namespace, the beginning of every key. Throws INVALID_OPTIONS. */
export function checkNamespace(name: unknown): asserts name is string {
  if (typeof name === 'string' && /^[A-Za-z0-9._-]{1,100}$/.test(name)) return
  throw new BuswayError(
    'INVALID_OPTIONS',
    `namespace: ${shown(name)} is not allowed. It is 1 to 100 of A-Z a-z 0-9 . _ -.`,
  )
}
