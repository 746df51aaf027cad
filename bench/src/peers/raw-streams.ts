import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import type { Body } from '../body.js'
import type { ConsumerOptions, Peer } from '../peer.js'

const { version } = createRequire(import.meta.url)('ioredis/package.json') as { version: string }

const GROUP = 'orders'
/** Read at once, whatever the concurrency: entries in hand cost nothing, a round trip does. */
const COUNT = 100

type Entry = [id: string, fields: string[]]

/** Streams by hand, with ioredis alone: no leases to renew, no retries, no recovery of what a dead consumer held. */
export const rawStreams: Peer = {
  name: 'raw-streams',
  version,

  async openProducer({ redisUrl, queue, groups = 1 }) {
    const redis = new Redis(redisUrl, { enableAutoPipelining: true })
    for (let i = 1; i <= groups; i++) await createGroup(redis, queue, i === 1 ? GROUP : `${GROUP}-${i}`)
    return {
      publish: (body) => redis.xadd(queue, '*', 'body', JSON.stringify(body)),
      async publishBatch(bodies) {
        const pipeline = redis.pipeline()
        for (const body of bodies) pipeline.xadd(queue, '*', 'body', JSON.stringify(body))
        for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
      },
      close: async () => void (await redis.quit()),
    }
  },

  async openConsumer({ redisUrl, queue }, options) {
    const reader = new Redis(redisUrl)
    const settler = new Redis(redisUrl, { enableAutoPipelining: true })
    await createGroup(settler, queue, GROUP)
    let isOpen = true
    const report = (error: unknown) => isOpen && console.error('raw-streams:', error)

    async function consume(): Promise<void> {
      while (isOpen) {
        const reply = await reader.xreadgroup('GROUP', GROUP, 'c1', 'COUNT', COUNT, 'BLOCK', 0, 'STREAMS', queue, '>')
        const entries = (reply as [stream: string, entries: Entry[]][] | null)?.[0]?.[1] ?? []
        await handleAll(entries, options)
        const ids = entries.map(([id]) => id)
        // What is settled is removed; the next read does not wait for it.
        settler.xack(queue, GROUP, ...ids).catch(report)
        settler.xdel(queue, ...ids).catch(report)
      }
    }

    return {
      async start() {
        consume().catch(report)
      },
      isDrained: async () => (await settler.xlen(queue)) === 0,
      async close() {
        isOpen = false
        reader.disconnect()
        await settler.quit()
      },
    }
  },
}

async function handleAll(entries: readonly Entry[], { concurrency, handler }: ConsumerOptions): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let entry = entries[next++]; entry; entry = entries[next++])
      await handler(JSON.parse(entry[1][1] as string) as Body)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, entries.length) }, lane))
}

async function createGroup(redis: Redis, queue: string, group: string): Promise<void> {
  await redis.xgroup('CREATE', queue, group, '0', 'MKSTREAM').catch((error: Error) => {
    if (!error.message.startsWith('BUSYGROUP')) throw error
  })
}
