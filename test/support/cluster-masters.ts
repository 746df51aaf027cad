import type { RedisCluster, RedisServer } from '@busway/testing'
import { Redis } from 'ioredis'

/** Those that have slots, as a node says that runs. */
export async function mastersOf(cluster: RedisCluster): Promise<RedisServer[]> {
  for (const { url, pid } of cluster.nodes) {
    if (pid === undefined) continue
    const redis = new Redis(url)
    try {
      // `<id> <ip:port@bus> <flags> <master> <ping> <pong> <epoch> <link> <slot> ...`
      const lines = String(await redis.call('CLUSTER', 'NODES'))
        .trim()
        .split('\n')
      const ports = lines.flatMap((line) => {
        const [, address = '', flags = '', , , , , , ...slots] = line.split(' ')
        const isMaster = /\bmaster\b/.test(flags) && !/\bfail\b/.test(flags) && slots.length > 0
        return isMaster ? [Number(/:(\d+)@/.exec(address)?.[1])] : []
      })
      return cluster.nodes.filter(({ port }) => ports.includes(port))
    } finally {
      redis.disconnect()
    }
  }
  throw new Error('no node of the cluster runs')
}
