import { integer, list, text } from '../codec.js'
import type { GroupRef, OpenReply, OpenRequest, Recovered, Script } from '../contract.js'

export const open: Script<OpenRequest, OpenReply> = {
  name: 'open',
  args: (r) => [
    r.group,
    r.session,
    Math.ceil(r.leaseMs),
    r.concurrency,
    r.maxCrashes,
    r.info,
    r.deadMax,
    Math.ceil(r.deadKeepMs),
    r.limit ?? '',
    r.reopened ? 1 : 0,
    r.fromBeginning ? 1 : 0,
    r.takesPushes ? 1 : 0,
  ],
  reply(raw) {
    const [nowMs, group, outbox, found, limited] = list(raw)
    return {
      nowMs: integer(nowMs),
      retainsNothing: text(group) === '-',
      deleted: text(group) === '',
      group: text(group) as GroupRef,
      recovered: recovered(found),
      outbox: integer(outbox) === 1,
      limited: integer(limited) === 1,
    }
  },
}

/** `[ranges, crashed, dead, more]`, or an empty list if there was nothing to recover. */
export function recovered(raw: unknown): Recovered | undefined {
  const parts = list(raw)
  if (parts.length === 0) return undefined
  return {
    ranges: integer(parts[0]),
    crashed: integer(parts[1]),
    dead: integer(parts[2]),
    more: integer(parts[3]) === 1,
  }
}
