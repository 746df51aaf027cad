/** One message by its id, wherever it is: what it carries, and what each group has done with it. */
import { type MessagePlace, type MessageReply, message } from '@busway/lua'
import type { DeadReason, MessageInfo, MessageState } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { consumerIdentity } from './consumers.js'
import { contentsOf, sliceOf } from './contents.js'
import { storedError } from './dead-letter.js'

/** `id` is checked already. `null` where nothing is left of it. */
export async function messageInfo(
  { runner, pipeline }: Pick<AdminDependencies, 'runner' | 'pipeline'>,
  topic: string,
  id: string,
): Promise<MessageInfo | null> {
  const groups: Record<string, MessageState> = {}
  let first: MessageReply | undefined
  let cursor: string | undefined
  do {
    const request = cursor === undefined ? { id } : { id, cursor }
    const reply = await runner.runRepeatable(message, topic, request)
    // Its last group may have ended it between two pages.
    if (reply === undefined) return null
    first ??= reply
    for (const place of reply.places) groups[place.group] = stateOf(place)
    cursor = reply.cursor
  } while (cursor !== undefined)
  const { value, unclaimed, dueAtMs } = first
  const contents = await contentsOf(topic, id, sliceOf(value ?? new Uint8Array(), 1), 0, pipeline().decode)
  return { id, topic, ...contents, unclaimed, ...(dueAtMs === undefined ? {} : { dueAt: new Date(dueAtMs) }), groups }
}

function stateOf(place: MessagePlace): MessageState {
  const { attempts, crashes } = place
  const since = new Date(place.sinceMs ?? 0)
  const dueAt = new Date(place.dueAtMs ?? 0)
  switch (place.state) {
    case 'scheduled':
      return { state: 'scheduled', dueAt }
    case 'ready':
    case 'held':
      return { state: place.state, attempts }
    case 'inFlight':
      return { state: 'inFlight', attempts, since, consumer: consumerIdentity(place.session ?? '', place.info ?? '') }
    case 'retrying':
      return { state: 'retrying', attempts, crashes, dueAt, error: storedError(place.error) }
    case 'dead': {
      const reason = place.reason as DeadReason
      return { state: 'dead', attempts, crashes, reason, error: storedError(place.error), diedAt: since }
    }
    case 'done':
      return { state: 'done' }
  }
}
