import { integer, list, text } from '../codec.js'
import type { Script, UpdateReply, UpdateRequest } from '../contract.js'

export const update: Script<UpdateRequest, UpdateReply> = {
  name: 'update',
  args: ({ id, token, cursor, delayMs, bytes }) => [
    ...[id, token, cursor ?? '', delayMs ?? '', bytes?.prioritized ? 1 : 0],
    ...[bytes?.value ?? '', bytes?.replacing ?? ''],
  ],
  reply(raw) {
    const [status, nowMs, changed, held, cursor] = list(raw)
    if (text(status) !== 'ok') return { status: text(status) as 'gone' | 'stale' }
    return {
      status: 'ok',
      nowMs: integer(nowMs),
      changed: integer(changed),
      held: integer(held),
      ...(text(cursor) === '' ? {} : { cursor: text(cursor) }),
    }
  },
}
