import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

export const consumeOne = consuming(1)
export const consumeHundred = consuming(100)

/** From the start of a consumer to the moment when everything that waited for it is handled and settled. */
function consuming(concurrency: number): Scenario {
  const name = `consume-${concurrency}`
  return {
    name,
    title: `consume what waits, ${concurrency} at a time`,
    metrics: ['perSecond', ...COSTS],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const place = { redisUrl, queue: nextQueue() }
          const producer = await peer.openProducer(place)
          await publishInFlight(producer, messages, IN_FLIGHT)
          await producer.close()

          const tally = new Tally(messages)
          const consumer = await peer.openConsumer(place, { concurrency, handler: async (body) => tally.add(body) })
          await timed(async () => {
            await consumer.start()
            await settled(tally, consumer)
            return {}
          })
          await consumer.close()
        },
        async close() {},
      }
    },
  }
}
