/** No queues, but the least that Redis takes for a step that every queue needs: with nothing stored safely, nothing can be quicker. */
import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import type { Body } from '../body.js'
import type { Consumer, ConsumerOptions, Peer, Place, Producer } from '../peer.js'

const { version } = createRequire(import.meta.url)('ioredis/package.json') as { version: string }

/** One round trip: SET of the body. */
export const roundTrip: Peer = {
  name: 'round-trip',
  version,
  openProducer: (place) => openProducer(place, (redis, text) => redis.set(place.queue, text)),
  openConsumer: () => Promise.reject(new Error('A round trip has no consumer.')),
}

/** One hand-over: RPUSH to somebody who waits in BLPOP. */
export const handOver: Peer = {
  name: 'hand-over',
  version,
  openProducer: (place) => openProducer(place, (redis, text) => redis.rpush(place.queue, text)),
  openConsumer,
}

async function openProducer(
  { redisUrl }: Place,
  send: (redis: Redis, text: string) => Promise<unknown>,
): Promise<Producer> {
  const redis = new Redis(redisUrl)
  await redis.ping()
  return {
    publish: (body) => send(redis, JSON.stringify(body)),
    publishBatch: () => Promise.reject(new Error('A yardstick has no batches.')),
    close: async () => void (await redis.quit()),
  }
}

async function openConsumer({ redisUrl, queue }: Place, { handler }: ConsumerOptions): Promise<Consumer> {
  const redis = new Redis(redisUrl)
  const looking = new Redis(redisUrl)
  await Promise.all([redis.ping(), looking.ping()])
  let isOpen = true
  async function consume(): Promise<void> {
    while (isOpen) {
      const popped = await redis.blpop(queue, 0)
      if (popped) await handler(JSON.parse(popped[1]) as Body)
    }
  }
  return {
    async start() {
      consume().catch((error) => isOpen && console.error('hand-over:', error))
    },
    isDrained: async () => (await looking.llen(queue)) === 0,
    async close() {
      isOpen = false
      redis.disconnect()
      await looking.quit()
    },
  }
}
