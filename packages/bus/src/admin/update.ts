/** Changes one message where it waits, group by group. */
import { createHash } from 'node:crypto'
import { message, type UpdateRequest, update } from '@busway/lua'
import type { MessageChanges } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AdminDependencies } from '../seams.js'
import { durationMs } from '../validate/durations.js'
import { shown } from '../validate/names.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { decodeBatch, type Rewriting, randomId, rewriteMessage } from '../wire/index.js'

/**
 * `id` is checked already. Resolves with whether it waited somewhere.
 *
 * Its bytes are read, written anew here, and put in the place of those that were read. If they are others by then, they are read again: of two who change a
 * message at once neither undoes the other's.
 */
export async function updateMessage(
  dependencies: Pick<AdminDependencies, 'runner' | 'publisher'>,
  topic: string,
  id: string,
  changes: MessageChanges,
): Promise<boolean> {
  const { delayMs, priority, body } = checkChanges(changes)
  const { runner, publisher } = dependencies
  const request = { id, token: randomId(), ...(delayMs === undefined ? {} : { delayMs }) }
  if (priority === undefined && body === undefined) return (await applied(dependencies, topic, request)) === true
  for (;;) {
    const known = await runner.runRepeatable(message, topic, { id })
    if (known?.value == null) return false
    const envelope = decodeBatch(known.value)
    const isPrioritized = priority !== undefined && priority !== envelope.priority
    if (isPrioritized && envelope.key !== undefined) throw keyed(topic, id, envelope.key)
    const { headers } = envelope.extra(0)
    const rewriting: Rewriting = {
      priority,
      body: body === undefined ? undefined : await publisher.encodeBody(topic, body, headers),
    }
    const bytes = {
      value: rewriteMessage(envelope, rewriting),
      replacing: createHash('sha1').update(known.value).digest('hex'),
      prioritized: isPrioritized,
    }
    const result = await applied(dependencies, topic, { ...request, bytes })
    if (result !== 'stale') return result
  }
}

async function applied(
  { runner }: Pick<AdminDependencies, 'runner'>,
  topic: string,
  request: UpdateRequest,
): Promise<boolean | 'stale'> {
  let cursor: string | undefined
  for (;;) {
    const reply = await runner.runRepeatable(update, topic, cursor === undefined ? request : { ...request, cursor })
    if (reply.status !== 'ok') return reply.status === 'stale' ? 'stale' : false
    if (reply.cursor === undefined) return reply.changed > 0
    cursor = reply.cursor
  }
}

function checkChanges(changes: MessageChanges) {
  checkOptionsObject('update', changes)
  checkNames('update', changes ?? {}, ['priority', 'delay', 'body'])
  const { priority, delay, body } = changes ?? {}
  if (priority === undefined && delay === undefined && body === undefined)
    throw new BuswayError(
      'INVALID_OPTIONS',
      'update: there is nothing to change. Give it a priority, a delay or a body.',
    )
  if (priority !== undefined && !Number.isSafeInteger(priority))
    throw invalidOption('priority', priority, 'an integer; higher goes first, 0 is the default')
  return { priority, body, delayMs: delay === undefined ? undefined : durationMs('delay', delay) }
}

const keyed = (topic: string, id: string, key: string): BuswayError =>
  new BuswayError(
    'INVALID_OPTIONS',
    `priority: the message ${shown(id)} of ${topic} has the ordering key ${shown(key)}, and would leave its turn. Change its delay or body, or cancel it and publish another.`,
  )
