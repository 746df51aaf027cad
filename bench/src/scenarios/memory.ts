import { Redis } from 'ioredis'
import { publishInFlight, publishInTurn } from '../load.js'
import { COSTS } from '../metrics.js'
import type { Producer } from '../peer.js'
import { queueNames, type Scenario } from '../scenario.js'
import { IN_FLIGHT } from './publish.js'

/** What a backlog takes that was published by busy publishers, and one that came message by message. */
export const memoryTogether = memory('memory-together', `${IN_FLIGHT} in flight`, (producer, messages) =>
  publishInFlight(producer, messages, IN_FLIGHT),
)
export const memoryAlone = memory('memory-alone', 'each awaited', publishInTurn)

function memory(
  name: string,
  how: string,
  publish: (producer: Producer, messages: number) => Promise<unknown>,
): Scenario {
  return {
    name,
    title: `memory of what waits, published ${how}`,
    needs: ['queue', 'redis'],
    metrics: ['bytes', ...COSTS],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      const redis = new Redis(redisUrl)
      const used = async () => Number(/used_memory_dataset:(\d+)/.exec(await redis.info('memory'))?.[1])
      return {
        async pass(messages, timed) {
          const producer = await peer.openProducer({ redisUrl, queue: nextQueue() })
          await timed(async () => {
            const before = await used()
            await publish(producer, messages)
            return { bytes: (await used()) - before }
          })
          await producer.close()
        },
        async close() {
          redis.disconnect()
        },
      }
    },
  }
}
