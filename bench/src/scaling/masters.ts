/** A cluster to measure, and what its masters have used. */
import { type RedisCluster, startCluster } from '@busway/testing'
import { Redis } from 'ioredis'
import { costBetween, parseUse, type ServerCost, type ServerUse } from '../server-info.js'

export interface Masters {
  readonly cluster: RedisCluster
  /** What each master used for the work. */
  costOf(work: () => Promise<void>): Promise<ServerCost[]>
  close(): Promise<void>
}

/** Nothing is written to disk, and nothing replicated: what is measured is the work of the masters. */
export async function startMasters(count: number): Promise<Masters> {
  const cluster = await startCluster({ masters: count, replicas: 0, args: ['--save', '', '--appendonly', 'no'] })
  const connections = cluster.nodes.map(({ url }) => new Redis(url))
  const uses = (): Promise<ServerUse[]> =>
    Promise.all(connections.map(async (redis) => parseUse(await redis.info('everything'))))
  return {
    cluster,
    async costOf(work) {
      const before = await uses()
      await work()
      const after = await uses()
      return after.map((use, i) => costBetween(before[i] as ServerUse, use))
    },
    async close() {
      for (const redis of connections) redis.disconnect()
      await cluster.stop()
    },
  }
}

export const totalOf = (costs: readonly ServerCost[]): ServerCost => ({
  cpuUs: sum(costs, ({ cpuUs }) => cpuUs),
  scriptUs: sum(costs, ({ scriptUs }) => scriptUs),
  scripts: sum(costs, ({ scripts }) => scripts),
  commands: sum(costs, ({ commands }) => commands),
})

/** What the busiest has of the work, of 1. */
export const greatestShare = (costs: readonly ServerCost[]): number =>
  Math.max(...costs.map(({ cpuUs }) => cpuUs)) / totalOf(costs).cpuUs

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
