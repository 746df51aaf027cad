import { startRedis } from '@busway/testing'
import { Redis } from 'ioredis'
import { startProxy } from '../../support/proxy.js'
import { type Site, unheardOf } from './site.js'

export async function standalone(args: string[]): Promise<Site> {
  const server = await startRedis({ args })
  const redis = new Redis(server.url)
  redis.on('error', () => {})
  return {
    topology: 'standalone',
    address: server.url,
    redis,
    masters: async () => [server],
    masterOf: async () => server,
    replicasOf: async () => [],
    proxy: () => startProxy(server.url),
    replaced: unheardOf('a failover'),
    rejoin: unheardOf('a failover'),
    settled: async () => {},
    reshard: unheardOf('resharding'),
    clock: () => server.url,
    async [Symbol.asyncDispose]() {
      redis.disconnect()
      await server.stop()
    },
  }
}
