import { integer, list, text } from '../codec.js'
import type { Script } from '../contract.js'
import type { ConsumersReply, ConsumersRequest } from '../contract-looking.js'

export const consumers: Script<ConsumersRequest, ConsumersReply> = {
  name: 'consumers',
  args: ({ group, limit, after }) => [group, limit, after ?? ''],
  reply(raw) {
    const [nowMs, after, ...sessions] = list(raw)
    const items = sessions.map((entry) => {
      const [session, info, leaseEndsAtMs, closing, inFlight, running] = list(entry)
      return {
        session: text(session),
        info: text(info),
        leaseEndsAtMs: Number(text(leaseEndsAtMs)),
        closing: integer(closing) === 1,
        inFlight: integer(inFlight),
        running: list(running).map(text),
      }
    })
    return { nowMs: integer(nowMs), items, ...(text(after) === '' ? {} : { after: text(after) }) }
  },
}
