import { startSentinels } from '@busway/testing'
import { Redis } from 'ioredis'
import { proxiesAsOne } from '../../support/proxies.js'
import { clockOf, type Site, unheardOf } from './site.js'

/** A primary and a replica. */
export async function sentinel(args: string[]): Promise<Site> {
  const deployment = await startSentinels({ args })
  const { servers } = deployment
  const address = { ...deployment.redis, sentinels: [...deployment.redis.sentinels] }
  const redis = new Redis(address)
  redis.on('error', () => {})
  return {
    topology: 'sentinel',
    address,
    redis,
    masters: async () => [await deployment.primary()],
    masterOf: () => deployment.primary(),
    replicasOf: async (master) => servers.filter((server) => server !== master),
    proxy: () => proxiesAsOne(servers, ({ natMap }) => ({ ...address, natMap })),
    replaced: () => deployment.settled(0),
    async rejoin(dead) {
      await deployment.rejoin(dead)
      await deployment.settled()
    },
    settled: () => deployment.settled(),
    reshard: unheardOf('resharding'),
    clock: () => clockOf(servers),
    async [Symbol.asyncDispose]() {
      redis.disconnect()
      await deployment.stop()
    },
  }
}
