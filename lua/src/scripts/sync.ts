import { fetchedRanges, integer, list } from '../codec.js'
import type { Script, SyncReply, SyncRequest } from '../contract.js'

export const sync: Script<SyncRequest, SyncReply> = {
  name: 'sync',
  args: ({ group, session, epoch, known }) => [group, session, epoch, known.join(',')],
  reply(raw) {
    if (typeof raw === 'number') return { status: 'lost' }
    const [nowMs, applied, lastLease, held, leases, ranges, failures, skips] = list(raw)
    return {
      status: 'ok',
      nowMs: integer(nowMs),
      applied: integer(applied),
      lastLease: integer(lastLease),
      held: list(held).map(integer),
      unknown: fetchedRanges(ranges, list(leases), failures, skips),
    }
  },
}
