/** A page of messages that wait or are in flight, from ranges of batches to messages. */
import { type PeekedRange, type PeekReply, peek } from '@busway/lua'
import type { DeadLetter, Page, Peeked, PeekedMessage, TopicPeeked } from '../api/index.js'
import type { AdminDependencies, Pipeline } from '../seams.js'
import { messageId } from '../wire/index.js'
import { consumerIdentity } from './consumers.js'
import { contentsOf, sliceOf } from './contents.js'
import { decodeCursor, encodeCursor } from './cursor.js'
import { storedError } from './dead-letter.js'
import { PAGE_BYTES, type PageRequest } from './pages.js'

/** What this shows; dead letters have a listing of their own. */
export type Shown = Exclude<Peeked, DeadLetter> | TopicPeeked

/** `group` is left out for what no group has yet. */
export async function peekPage(
  { runner, pipeline }: Pick<AdminDependencies, 'runner' | 'pipeline'>,
  topic: string,
  group: string | undefined,
  state: Shown['state'],
  { limit, cursor }: PageRequest,
): Promise<Page<Shown>> {
  let from = cursor === undefined ? undefined : decodeCursor(state, cursor)
  const request = { state, limit, bytes: PAGE_BYTES, ...(group === undefined ? {} : { group }) }
  let reply: PeekReply
  do {
    // A page without messages says how far Redis has looked: it looks at so much in one call.
    reply = await runner.runRepeatable(peek, topic, from === undefined ? request : { ...request, from })
    from = reply.from
  } while (reply.ranges.length === 0 && from !== undefined)
  const { infos } = reply
  const { decode } = pipeline()
  const items = await Promise.all(reply.ranges.flatMap((range) => messagesOf(topic, state, range, infos, decode)))
  return from === undefined ? { items } : { items, cursor: encodeCursor(state, from) }
}

function messagesOf(
  topic: string,
  state: Shown['state'],
  range: PeekedRange,
  infos: PeekReply['infos'],
  decode: Pipeline['decode'],
): Promise<Shown>[] {
  const slice = sliceOf(range.value ?? new Uint8Array(), range.count)
  const messages: Promise<Shown>[] = []
  for (let index = 0; index < range.count; index++) {
    if (range.done.includes(index)) continue
    const id = messageId(range.batch, range.from + index)
    messages.push(
      contentsOf(topic, id, slice, index, decode).then((contents) =>
        shown({ id, topic, ...contents, attempts: range.attempts }, state, range, infos),
      ),
    )
  }
  return messages
}

function shown(message: PeekedMessage, state: Shown['state'], range: PeekedRange, infos: PeekReply['infos']): Shown {
  const at = new Date(range.atMs ?? 0)
  switch (state) {
    case 'ready':
    case 'held':
    case 'unclaimed':
      return { state, ...message }
    case 'scheduled':
      return { state, ...message, dueAt: at }
    case 'retrying':
      return { state, ...message, dueAt: at, crashes: range.crashes, error: storedError(range.error ?? '') }
    case 'inFlight': {
      const session = range.session ?? ''
      return { state, ...message, since: at, consumer: consumerIdentity(session, infos.get(session) ?? '') }
    }
  }
}
