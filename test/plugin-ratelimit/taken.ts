/** When messages were handed over, by Redis' clock: written down by the script that hands them over. */
import type { Plugin } from '@busway/bus'
import { expect } from 'chai'
import type { Redis } from 'ioredis'

export const recorder = (): Plugin<'recorder'> => ({
  name: 'recorder',
  api: 1,
  setup(scope) {
    scope.guard({
      at: 'fetch',
      name: 'taken',
      keys: () => ['taken', 'takenOfKeys'],
      args: () => [],
      lua: `return {
        apply = function(f, args, taken) for i = 1, taken do redis.call('RPUSH', f.keys[1], f.now) end end,
        applyKey = function(f, args, key, taken) for i = 1, taken do redis.call('RPUSH', f.keys[2], key .. ' ' .. f.now) end end,
      }`,
    })
  },
})

export const takenAt = async (redis: Redis, namespace: string, topic: string): Promise<number[]> =>
  (await redis.lrange(`${namespace}:{${topic}}:x:recorder:taken`, 0, -1)).map(Number)

/** The same by ordering keys, of messages that have one. */
export async function takenOfKeys(redis: Redis, namespace: string, topic: string): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>()
  for (const entry of await redis.lrange(`${namespace}:{${topic}}:x:recorder:takenOfKeys`, 0, -1)) {
    const [key = '', atMs] = entry.split(' ')
    times.set(key, [...(times.get(key) ?? []), Number(atMs)])
  }
  return times
}

/** No stretch of time, however long, has more than its rate and the burst. */
export function expectWithin(times: readonly number[], limit: number, perMs: number, burst: number): void {
  for (let from = 0; from < times.length; from++) {
    for (let to = from; to < times.length; to++) {
      const spanMs = (times[to] as number) - (times[from] as number)
      const count = to - from + 1
      const most = (limit * spanMs) / perMs + burst
      if (count > most + 1e-6) expect.fail(`${count} messages within ${spanMs} ms, ${most} may be`)
    }
  }
}
