import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100

export const keyedOne = keyed(1)
export const keyedMany = keyed(10_000)

/** Messages that keep their order by key, as they wait; a peer without keys has plain ones. */
function keyed(keys: number): Scenario {
  const name = `keyed-${keys}`
  return {
    name,
    title: `consume what waits with ${keys.toLocaleString('en')} ordering key${keys === 1 ? '' : 's'}, ${CONCURRENCY} at a time (BullMQ: without)`,
    needs: ['queue', 'keys'],
    guests: ['bullmq'],
    metrics: ['perSecond', ...COSTS],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const place = { redisUrl, queue: nextQueue() }
          const producer = await peer.openProducer(place)
          await publishInFlight(producer, messages, IN_FLIGHT, {
            wishesOf: (n) => ({ key: `key-${n % keys}` }),
          })
          await producer.close()
          const tally = new Tally(messages)
          const consumer = await peer.openConsumer(place, {
            concurrency: CONCURRENCY,
            handler: async (body) => tally.add(body),
          })
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
