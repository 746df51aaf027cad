/** The world of a conformance suite on a Redis Cluster: three masters and three replicas, which the suites of one process share. */
import { randomBytes } from 'node:crypto'
import { type RedisCluster, type RedisServer, startCluster } from '@busway/testing'
import type { Redis } from 'ioredis'
import { clusterClient } from './cluster-client.js'
import { mastersOf } from './cluster-masters.js'
import { startClusterProxy } from './cluster-proxy.js'
import type { PrivateRedis } from './private-redis.js'
import { type Surroundings, type World, type WorldOptions, worldOf } from './world.js'

/** It ends with this process. */
let shared: Promise<RedisCluster> | undefined

export function clusterBackend(options: WorldOptions = {}): World {
  let cluster: RedisCluster
  const makePlace = (): PrivateRedis => {
    let redis: Redis
    let namespace = ''
    const isShared = Object.keys(options).length === 0
    before(async function () {
      this.timeout(60_000)
      if (isShared) shared ??= startCluster()
      cluster = await (isShared ? (shared as Promise<RedisCluster>) : startCluster(options))
      redis = clusterClient(cluster)
    })
    beforeEach(() => {
      namespace = `t${randomBytes(4).toString('hex')}`
    })
    after(async () => {
      redis?.disconnect()
      if (!isShared) await cluster?.stop()
    })
    return {
      // Of a server the tests take the address only.
      get server() {
        return { url: cluster.url } as RedisServer
      },
      get redis() {
        return redis
      },
      get namespace() {
        return namespace
      },
    }
  }
  return worldOf(makePlace, () => ({
    isCluster: true,
    redis: cluster?.redis as Surroundings['redis'],
    masters: async () => (await mastersOf(cluster)).map(({ url }) => url),
    proxy: () => startClusterProxy(cluster),
  }))
}
