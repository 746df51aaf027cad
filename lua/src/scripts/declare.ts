import { integer } from '../codec.js'
import type { DeclareReply, DeclareRequest, Script, TopicSettings } from '../contract.js'

export const declare: Script<DeclareRequest, DeclareReply> = {
  name: 'declare',
  args: ({ session, groups, settings }) => [session ?? '', settingsText(settings), ...(groups ?? [])],
  reply: (raw) => ({ nowMs: integer(raw) }),
}

const settingsText = (settings: TopicSettings = {}): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value};`)
    .join('')
