import { COSTS } from '../metrics.js'
import { forkProducer } from '../producer-process.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { LARGE } from './large.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100

export const endToEnd = fromEndToEnd('end-to-end', { guests: ['busway-plugins', 'busway-plugins-used'] })
export const endToEndLarge = LARGE.map(({ name, what, bodyBytes, mostMessages }) =>
  fromEndToEnd(`${name}-end-to-end`, { what, bodyBytes, mostMessages }),
)

interface Variant extends Pick<Scenario, 'guests' | 'mostMessages'> {
  what?: string
  bodyBytes?: number
}

/** A producer's process publishes as fast as it can to a consumer's; the time ends when the last message is settled. */
function fromEndToEnd(name: string, { what = '', bodyBytes, ...rest }: Variant): Scenario {
  return {
    name,
    title: `from one process to another${what && `, bodies${what}`}, ${IN_FLIGHT} in flight, ${CONCURRENCY} at a time`,
    needs: ['queue'],
    metrics: ['perSecond', ...COSTS],
    ...rest,
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
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
              producer.ask({ kind: 'publish', messages, inFlight: IN_FLIGHT, bodyBytes }),
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
}
