import { integer, list } from '../codec.js'
import type { CountReply, Script } from '../contract.js'
import type { DeleteTopicReply, DeleteTopicRequest, PurgeTopicRequest } from '../contract-looking.js'
import { count } from './admin.js'

export const purgeTopic: Script<PurgeTopicRequest, CountReply> = {
  name: 'purge-topic',
  args: ({ what, limit, producer }) => [what ?? '', limit, producer],
  reply: count,
}

export const deleteTopic: Script<DeleteTopicRequest, DeleteTopicReply> = {
  name: 'delete-topic',
  args: ({ how, limit, producer }) => [how ?? '', limit, producer],
  reply(raw) {
    const [inUse, ...rest] = list(raw).map(integer)
    const [first = 0, second = 0, outbox = 0, isThere] = rest
    return inUse === 1
      ? { status: 'in use', consumers: first, messages: second, outbox }
      : { status: 'ok', ended: first, more: second === 1, outbox, isThere: isThere === 1 }
  },
}
