/** Where a chaos run takes place: one Redis, one that Sentinels watch over, or a cluster. */
import type { BusOptions } from '@busway/bus'
import type { RedisServer } from '@busway/testing'
import { Redis } from 'ioredis'
import type { RedisProxy } from '../../support/proxy.js'

export const TOPOLOGIES = ['standalone', 'sentinel', 'cluster'] as const
export type Topology = (typeof TOPOLOGIES)[number]

export interface Site extends AsyncDisposable {
  readonly topology: Topology
  /** The option `redis` of a bus that goes there straight. */
  readonly address: NonNullable<BusOptions['redis']>
  /** A connection to look with, which follows what moves. */
  readonly redis: Redis
  /** Those that hold data now and are not replicas. */
  masters(): Promise<RedisServer[]>
  masterOf(topic: string): Promise<RedisServer>
  replicasOf(master: RedisServer): Promise<RedisServer[]>
  /** Everything between a process and all servers, as one. */
  proxy(): Promise<RedisProxy>
  /** Resolves when another than this one is the master of a topic. */
  replaced(topic: string, former: RedisServer): Promise<void>
  /** Starts a server that was killed, as a replica; resolves when it keeps up. */
  rejoin(dead: RedisServer): Promise<void>
  /** Resolves when all replicas keep up, and all agree who is what. */
  settled(): Promise<void>
  /** Moves the slot of a topic to another master. */
  reshard(topic: string, to: (others: readonly RedisServer[]) => RedisServer): Promise<void>
  /** A server that runs; they all have this machine's clock. */
  clock(): string
}

/** To wait there by `eventually`. */
export const watched = ({ site, namespace }: { readonly site: Site; readonly namespace: string }) => ({
  redis: site.redis,
  namespace,
  masters: async () => (await site.masters()).map(({ url }) => url),
})

/** What a topology has not got, and no fault that is chosen for it asks for. */
export const unheardOf = (what: string) => async (): Promise<never> => {
  throw new Error(`${what} is not for this topology`)
}

/** Asks each master over a connection of its own. */
export async function onMasters<T>(site: Pick<Site, 'masters'>, ask: (redis: Redis) => Promise<T>): Promise<T[]> {
  return Promise.all((await site.masters()).map((master) => onServer(master, ask)))
}

export async function onServer<T>({ url }: RedisServer, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  redis.on('error', () => {})
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

/** `Site.clock` where there are several. */
export function clockOf(servers: readonly RedisServer[]): string {
  const running = servers.find(({ pid }) => pid !== undefined)
  if (running === undefined) throw new Error('no server runs')
  return running.url
}
