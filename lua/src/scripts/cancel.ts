import { integer, list, text } from '../codec.js'
import type { CancelReply, CancelRequest, Script } from '../contract.js'

export const cancel: Script<CancelRequest, CancelReply> = {
  name: 'cancel',
  args: ({ id, token, cursor, tell }) => [id, token, cursor ?? '', tell ? 1 : 0],
  reply(raw) {
    const [ended, held, told, cursor, outbox] = list(raw)
    return {
      ended: integer(ended),
      held: integer(held),
      told: integer(told),
      outbox: integer(outbox) === 1,
      ...(text(cursor) === '' ? {} : { cursor: text(cursor) }),
    }
  },
}
