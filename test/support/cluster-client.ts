/** A connection of a test's own to all of a Redis Cluster, to look with as if it were one Redis. */
import type { RedisCluster } from '@busway/testing'
import { Cluster, Redis } from 'ioredis'
import { mastersOf } from './cluster-masters.js'

/** What asks a server and not a key asks all masters; commands of several keys are sent key by key. Anything else goes where its key is. */
export function clusterClient(cluster: RedisCluster): Redis {
  const client = new Cluster([...cluster.redis.cluster])
  client.on('error', () => {})
  async function onMasters<T>(ask: (redis: Redis) => Promise<T>): Promise<T[]> {
    const masters = (await mastersOf(cluster)).map(({ url }) => new Redis(url))
    try {
      return await Promise.all(masters.map(ask))
    } finally {
      for (const master of masters) master.disconnect()
    }
  }
  const summed = async (keys: readonly string[], of: (key: string) => Promise<number>): Promise<number> =>
    (await Promise.all(keys.map(of))).reduce((sum, n) => sum + n, 0)
  const keys = async (pattern: string): Promise<string[]> => (await onMasters((redis) => redis.keys(pattern))).flat()
  return Object.assign(client, {
    keys,
    scan: async (_cursor: string, _match: 'MATCH', pattern: string) => ['0', await keys(pattern)],
    del: (...names: string[]) => summed(names, (key) => client.call('DEL', key) as Promise<number>),
    exists: (...names: string[]) => summed(names, (key) => client.call('EXISTS', key) as Promise<number>),
    // A script without keys looks at all of them.
    callBuffer: async (command: string, script: string, keys: number, ...args: string[]) =>
      (await onMasters((redis) => redis.callBuffer(command, script, keys, ...args) as Promise<unknown[]>)).flat(),
    config: async (...args: [string, ...string[]]) => (await onMasters((redis) => redis.call('CONFIG', ...args)))[0],
    info: async (section: string) => summedStats(await onMasters((redis) => redis.info(section))),
    monitor: async () => {
      const monitors = await Promise.all(
        (await mastersOf(cluster)).map(async ({ url }) => {
          const redis = new Redis(url)
          return { redis, monitor: await redis.monitor() }
        }),
      )
      return {
        on: (event: 'monitor', heard: (...what: unknown[]) => void) => {
          for (const { monitor } of monitors) monitor.on(event, heard)
        },
        disconnect: () => {
          for (const { redis, monitor } of monitors) for (const each of [redis, monitor]) each.disconnect()
        },
      }
    },
    time: async () => (await onMasters((redis) => redis.time()))[0],
    // Channels are of slots here.
    pubsub: async (what: 'CHANNELS' | 'NUMSUB', name: string) => {
      const answers = await onMasters((redis) => redis.call('PUBSUB', `SHARD${what}`, name) as Promise<string[]>)
      if (what === 'CHANNELS') return answers.flat()
      return [name, answers.reduce((sum, [, n]) => sum + Number(n), 0)]
    },
  }) as unknown as Redis
}

/** The calls of each command, over all. */
function summedStats(infos: readonly string[]): string {
  const calls = new Map<string, number>()
  for (const info of infos)
    for (const [, name = '', n] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
      calls.set(name, (calls.get(name) ?? 0) + Number(n))
  return [...calls].map(([name, n]) => `cmdstat_${name}:calls=${n}`).join('\n')
}
