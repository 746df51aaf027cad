import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { LARGE } from './large.js'
import { IN_FLIGHT } from './publish.js'

export const consumeOne = consuming('consume-1', { concurrency: 1 })
export const consumeTen = consuming('consume-10', { concurrency: 10 })
export const consumeHundred = consuming('consume-100', {
  concurrency: 100,
  guests: ['busway-plugins', 'busway-plugins-used'],
})
export const consumeLarge = LARGE.map(({ name, what, bodyBytes, mostMessages }) =>
  consuming(`${name}-consume`, { concurrency: 100, what, bodyBytes, mostMessages }),
)

interface Variant extends Pick<Scenario, 'guests' | 'mostMessages'> {
  concurrency: number
  what?: string
  bodyBytes?: number
}

/** From the start of a consumer to the moment when everything that waited for it is handled and settled. */
function consuming(name: string, { concurrency, what = '', bodyBytes, ...rest }: Variant): Scenario {
  return {
    name,
    title: `consume what waits${what}, ${concurrency} at a time`,
    needs: ['queue'],
    metrics: ['perSecond', ...COSTS],
    ...rest,
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const place = { redisUrl, queue: nextQueue() }
          const producer = await peer.openProducer(place)
          await publishInFlight(producer, messages, IN_FLIGHT, bodyBytes === undefined ? {} : { bodyBytes })
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
