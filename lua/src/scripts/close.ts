import { integer, leaseParts } from '../codec.js'
import type { CloseReply, CloseRequest, Script } from '../contract.js'

export const close: Script<CloseRequest, CloseReply> = {
  name: 'close',
  args: ({ group, session, running }) => [group, session, leaseParts(running)],
  reply(raw) {
    const released = integer(raw)
    return released < 0 ? { status: 'lost' } : { status: 'ok', released }
  },
}
