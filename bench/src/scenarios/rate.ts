import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100
/** The part of a second that may come at once; by then the rate itself holds. */
const BURST = 0.1

export const rateHundred = limited(100)
export const rateThousand = limited(1_000)

/** How near a group with a rate limit comes to it, once its burst is spent. (BullMQ counts in windows instead, each of which may begin with all that it has.) */
function limited(perSecond: number): Scenario {
  const name = `rate-${perSecond}`
  return {
    name,
    title: `consume what waits at ${perSecond.toLocaleString('en')} a second at most`,
    metrics: ['ofLimit', ...COSTS],
    needs: ['queue', 'rate'],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const place = { redisUrl, queue: nextQueue() }
          const producer = await peer.openProducer(place)
          await publishInFlight(producer, messages, IN_FLIGHT)
          await producer.close()
          const tally = new Tally(messages)
          const times: number[] = []
          const consumer = await peer.openConsumer(place, {
            concurrency: CONCURRENCY,
            rate: perSecond,
            async handler(body) {
              times.push(performance.now())
              tally.add(body)
            },
          })
          await timed(async () => {
            await consumer.start()
            await settled(tally, consumer)
            return { ofLimit: (100 * rateOf(times, Math.ceil(perSecond * BURST))) / perSecond }
          })
          await consumer.close()
        },
        async close() {},
      }
    },
  }
}

/** Per second, without those of the burst; NaN if there were no others. */
function rateOf(timesMs: readonly number[], burst: number): number {
  const paced = timesMs.slice(burst)
  const first = paced[0] ?? Number.NaN
  return (1000 * (paced.length - 1)) / ((paced.at(-1) ?? Number.NaN) - first)
}
