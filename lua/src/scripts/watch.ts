import { integer, list, pairs, text } from '../codec.js'
import type {
  ProgressReply,
  ProgressRequest,
  Script,
  SettledReply,
  SettledRequest,
  WatchReply,
  WatchRequest,
} from '../contract.js'

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

export const settled: Script<SettledRequest, SettledReply> = {
  name: 'settled',
  args: ({ id, group }) => [id, group ?? ''],
  reply(raw) {
    const [nowMs, open, ended] = list(raw)
    return {
      nowMs: integer(nowMs),
      open: integer(open) === 1,
      ended: pairs(ended, (group, report) => ({ ...named('group', text(group)), ...named('report', text(report)) })),
    }
  },
}

const named = <N extends string>(name: N, value: string): { [K in N]?: string } =>
  (value === '' ? {} : { [name]: value }) as { [K in N]?: string }
