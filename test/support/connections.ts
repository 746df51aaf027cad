import { Redis } from 'ioredis'
import type { World } from './world.js'

/** How many connections the buses of a service have to each master that they have any to, as these list them. Named ones only: what other tests closed, a server may list a moment longer. */
export async function connectionsOf(world: World, service: string): Promise<number[]> {
  const counts = await Promise.all(
    (await world.masters()).map(async (address) => {
      const redis = new Redis(address)
      try {
        const list = String(await redis.client('LIST'))
        return list.split('\n').filter((line) => / name=busway:([^: ]+)/.exec(line)?.[1] === service).length
      } finally {
        redis.disconnect()
      }
    }),
  )
  return counts.filter((count) => count > 0)
}
