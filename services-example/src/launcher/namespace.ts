import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'

/** A namespace that no other run has. */
export const newNamespace = (): string => `example-${randomBytes(5).toString('hex')}`

/** Removes all keys of a namespace. Gives how many there were. */
export async function removeNamespace(url: string, namespace: string): Promise<number> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 })
  try {
    let removed = 0
    for await (const keys of redis.scanStream({ match: `${namespace}:*`, count: 1_000 }) as AsyncIterable<string[]>)
      if (keys.length > 0) removed += await redis.unlink(...keys)
    return removed
  } finally {
    redis.disconnect()
  }
}
