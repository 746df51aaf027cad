import type { RedisOptions } from 'ioredis'

/** A node of a Redis Cluster. */
export interface ClusterNode {
  host: string
  /** Default: 6379. */
  port?: number
}

/**
 * A Redis Cluster. The other options are for the connections to all of its nodes; with `natMap`, their addresses as they know them are turned into those
 * under which this machine reaches them.
 *
 * @example
 * createBus({ service: 'orders', redis: { cluster: [{ host: 'redis-1' }, { host: 'redis-2' }], password: 'secret' } })
 */
export interface ClusterOptions extends Omit<RedisOptions, 'host' | 'port' | 'path' | 'sentinels' | 'name' | 'db'> {
  /** Some of its nodes, one at least: they are asked for the others. */
  cluster: readonly ClusterNode[]
}
