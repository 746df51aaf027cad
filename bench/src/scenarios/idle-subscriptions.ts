import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { queueNames, type Scenario } from '../scenario.js'

const SUBSCRIPTIONS = 100
/** What counts as a message here, so that costs are also those of a time. */
const SLICE_MS = 100

/** What a client costs that waits for messages of many topics, of which none come. */
export const idleSubscriptions: Scenario = {
  name: 'idle-subscriptions',
  title: `${SUBSCRIPTIONS} idle subscriptions of one client, over 10 seconds`,
  needs: ['queue', 'subscriptions'],
  metrics: ['connections', 'commandsPerSecond', 'clientCpuPercent', 'redisCpuPercent'],
  messages: 100,
  mostRounds: 2,
  async open(peer, { redisUrl }) {
    if (!peer.openSubscriptions) throw new Error(`${peer.name} has no subscriptions to open.`)
    const nextQueue = queueNames(this.name)
    const redis = new Redis(redisUrl)
    const connections = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1])
    const before = await connections()
    const queues = Array.from({ length: SUBSCRIPTIONS }, nextQueue)
    const subscriptions = await peer.openSubscriptions(redisUrl, queues)
    return {
      async pass(slices, timed) {
        await timed(async () => {
          await sleep(slices * SLICE_MS)
          return { connections: (await connections()) - before }
        })
      },
      async close() {
        await subscriptions.close()
        redis.disconnect()
      },
    }
  },
}
