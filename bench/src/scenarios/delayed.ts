import { clockUs, numberOf } from '../body.js'
import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100
const SPREAD_MS = 1_000
/** Has no factor in common with the spread, so that neighbours are due far apart and each millisecond has its share. */
const STRIDE = 379

const delayOf = (n: number): number => (n * STRIDE) % SPREAD_MS

/** Messages that are put off by up to a second, and how late each begins to be handled. */
export const delayed: Scenario = {
  name: 'delayed',
  title: `publish with delays spread over a second, ${IN_FLIGHT} in flight, until consumed, ${CONCURRENCY} at a time; latencies are from the moment when a message was due`,
  needs: ['queue', 'delay'],
  metrics: ['perSecond', 'p50Us', 'p99Us', ...COSTS],
  messages: 30_000,
  async open(peer, { redisUrl }) {
    const nextQueue = queueNames(this.name)
    return {
      async pass(messages, timed) {
        const place = { redisUrl, queue: nextQueue() }
        const latenciesUs = new Float64Array(messages)
        const tally = new Tally(messages)
        const consumer = await peer.openConsumer(place, {
          concurrency: CONCURRENCY,
          async handler(body) {
            const n = numberOf(body)
            latenciesUs[n] = clockUs() - body.sentAt - delayOf(n) * 1_000
            tally.add(body)
          },
        })
        const producer = await peer.openProducer(place)
        await consumer.start()
        await timed(async () => {
          await publishInFlight(producer, messages, IN_FLIGHT, { wishesOf: (n) => ({ delayMs: delayOf(n) }) })
          await settled(tally, consumer)
          return { latenciesUs }
        })
        await producer.close()
        await consumer.close()
      },
      async close() {},
    }
  },
}
