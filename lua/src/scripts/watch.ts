import { integer, list } from '../codec.js'
import type { ProgressReply, ProgressRequest, Script, WatchReply, WatchRequest } from '../contract.js'

export const watch: Script<WatchRequest, WatchReply> = {
  name: 'watch',
  args: ({ forMs }) => [Math.ceil(forMs)],
  reply(raw) {
    const [nowMs, was] = list(raw)
    return { nowMs: integer(nowMs), wasWatched: integer(was) === 1 }
  },
}

export const progress: Script<ProgressRequest, ProgressReply> = {
  name: 'progress',
  args: ({ group, session, lease, index, attempt, value }) => [group, session, lease, index, attempt, value],
  reply: (raw) => ({ watched: integer(raw) === 1 }),
}
