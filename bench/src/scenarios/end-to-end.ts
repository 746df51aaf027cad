import { COSTS } from '../metrics.js'
import { forkProducer } from '../producer-process.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100

/** A producer's process publishes as fast as it can to a consumer's; the time ends when the last message is settled. */
export const endToEnd: Scenario = {
  name: 'end-to-end',
  title: `from one process to another, ${IN_FLIGHT} in flight, ${CONCURRENCY} at a time`,
  metrics: ['perSecond', ...COSTS],

  async open(peer, { redisUrl }) {
    const nextQueue = queueNames(this.name)
    const producer = await forkProducer(peer.name)
    return {
      async pass(messages, timed) {
        const place = { redisUrl, queue: nextQueue() }
        const tally = new Tally(messages)
        const consumer = await peer.openConsumer(place, {
          concurrency: CONCURRENCY,
          handler: async (body) => tally.add(body),
        })
        await consumer.start()
        await producer.ask({ kind: 'open', place })
        await timed(async () => {
          const [{ cpuUs }] = await Promise.all([
            producer.ask({ kind: 'publish', messages, inFlight: IN_FLIGHT }),
            settled(tally, consumer),
          ])
          return { otherClientCpuUs: cpuUs }
        })
        await producer.ask({ kind: 'close' })
        await consumer.close()
      },
      close: () => producer.stop(),
    }
  },
}
