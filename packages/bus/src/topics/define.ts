/** Topics as a value, from which types, codecs and settings follow. */
import type { StandardSchemaV1, TopicDefinition, TopicInput, Topics, TopicsOf } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { MOST_PARTITIONS } from '../partitions/names.js'
import { durationMs } from '../validate/durations.js'
import { checkGroup, checkTopic, shown } from '../validate/names.js'
import { checkInteger, checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'

/** Made by `type`: there is nothing to check. */
const unchecked = 'busway'

/**
 * The type of a body without a check at run time: nothing is validated, nothing is paid.
 *
 * @example
 * const topics = defineTopics({ 'orders.paid': type<{ id: string }>() })
 */
export const type = <T>(): StandardSchemaV1<T, T> => ({
  '~standard': { version: 1, vendor: unchecked, validate: (value) => ({ value: value as T }) },
})

/** Whether a schema checks anything. */
export const isChecking = (schema: StandardSchemaV1): boolean => schema['~standard'].vendor !== unchecked

/**
 * The topics of an application: for each its body's schema (any Standard Schema, or `type<T>()`), or a definition with settings beside it.
 * Throws INVALID_TOPIC, INVALID_OPTIONS.
 *
 * @example
 * export const topics = defineTopics({
 *   'orders.created': z.object({ id: z.string() }),
 *   'orders.paid': { body: type<{ id: string }>(), groups: ['ledger'] },
 * })
 */
export function defineTopics<const D extends { readonly [K in keyof D]: TopicInput }>(
  definitions: D,
): Topics<TopicsOf<D>> {
  checkOptionsObject('defineTopics', definitions)
  const checked: Record<string, TopicDefinition> = {}
  for (const [name, input] of Object.entries<TopicInput>(definitions)) {
    checkTopic(name)
    checked[name] = Object.freeze(checkDefinition(name, input))
  }
  return { definitions: Object.freeze(checked) }
}

/**
 * Types of topics without values: any topic may be published, and none is checked at run time.
 *
 * @example
 * createBus({ service: 'orders', topics: topicTypes<{ 'orders.paid': { id: string } }>() })
 */
export const topicTypes = <M extends object>(): Topics<M> => ({})

const settings = ['body', 'reply', 'groups', 'retain', 'maxWaiting', 'partitions'] as const

function checkDefinition(name: string, input: unknown): TopicDefinition {
  if (isSchema(input)) return { body: input }
  const where = `topic ${name}`
  if (typeof input !== 'object' || input === null)
    throw invalidOption(where, input, 'a schema or a definition with a body')
  const definition = input as Record<(typeof settings)[number], unknown>
  checkNames(where, definition, settings)
  if (!isSchema(definition.body))
    throw invalidOption(`${where}: body`, definition.body, 'a schema, such as type<T>() or z.object({...})')
  if (definition.reply !== undefined && !isSchema(definition.reply))
    throw invalidOption(`${where}: reply`, definition.reply, 'a schema')
  checkGroups(where, definition.groups)
  checkMaxWaiting(`${where}: maxWaiting`, definition.maxWaiting)
  if (definition.partitions !== undefined)
    checkInteger(`${where}: partitions`, definition.partitions, 1, MOST_PARTITIONS)
  checkRetention(`${where}: retain`, definition.retain)
  return { ...(input as TopicDefinition) }
}

function checkGroups(where: string, groups: unknown): void {
  if (groups === undefined) return
  if (!Array.isArray(groups)) throw invalidOption(`${where}: groups`, groups, 'a list of groups')
  for (const group of groups) checkGroup(group)
  if (new Set(groups).size < groups.length)
    throw new BuswayError('INVALID_OPTIONS', `${where}: groups names a group twice.`)
}

function checkMaxWaiting(option: string, maxWaiting: unknown): void {
  if (maxWaiting === undefined || maxWaiting === Number.POSITIVE_INFINITY) return
  if (typeof maxWaiting !== 'object' || maxWaiting === null) {
    checkInteger(option, maxWaiting, 1, Number.MAX_SAFE_INTEGER)
    return
  }
  checkNames(option, maxWaiting, ['count', 'policy'])
  const { count, policy } = maxWaiting as { count?: unknown; policy?: unknown }
  checkInteger(`${option}.count`, count, 1, Number.MAX_SAFE_INTEGER)
  if (policy !== undefined && policy !== 'reject' && policy !== 'wait')
    throw invalidOption(`${option}.policy`, policy, "'reject' or 'wait'")
}

function checkRetention(option: string, retain: unknown): void {
  if (retain === undefined) return
  if (typeof retain === 'string') durationMs(option, retain, 1)
  else if (typeof retain === 'object' && retain !== null) {
    checkNames(option, retain, ['count'])
    checkInteger(`${option}.count`, (retain as { count?: unknown }).count, 0, Number.MAX_SAFE_INTEGER)
  } else if (Number.isSafeInteger(retain) && (retain as number) >= 0) return
  else throw invalidOption(option, retain, "a duration such as '7d', or a number of messages")
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as { '~standard'?: { version?: unknown; validate?: unknown } })['~standard']
  if (standard === undefined) return false
  if (standard.version !== 1 || typeof standard.validate !== 'function') {
    throw new BuswayError(
      'INVALID_OPTIONS',
      `A schema follows version ${shown(String(standard.version))} of Standard Schema; this bus knows version 1.`,
    )
  }
  return true
}
