import type { RedisCluster } from '@busway/testing'
import { proxiesAsOne } from './proxies.js'
import type { RedisProxy } from './proxy.js'

/** Proxies in front of all nodes of a cluster. */
export const startClusterProxy = (cluster: RedisCluster): Promise<RedisProxy> =>
  proxiesAsOne(cluster.nodes, ({ places, natMap }) => ({ cluster: places, natMap }))
