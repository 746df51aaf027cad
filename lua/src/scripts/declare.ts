import { integer } from '../codec.js'
import type { DeclareReply, DeclareRequest, Script } from '../contract.js'

export const declare: Script<DeclareRequest, DeclareReply> = {
  name: 'declare',
  args: ({ session, groups }) => [session ?? '', ...(groups ?? [])],
  reply: (raw) => ({ nowMs: integer(raw) }),
}
