import { clockUs, numberOf } from '../body.js'
import { COSTS } from '../metrics.js'
import { forkProducer } from '../producer-process.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'

const PER_SECOND = 1_000
const CONCURRENCY = 10

/** A service at a moderate load: from before a publish to the start of its handler, in another process. */
export const steady: Scenario = {
  name: 'steady',
  title: `from one process to another, ${PER_SECOND.toLocaleString('en')} a second, ${CONCURRENCY} at a time`,
  needs: ['queue'],
  metrics: ['p50Us', 'p99Us', 'p999Us', ...COSTS],
  fewestMessages: 2 * PER_SECOND,

  async open(peer, { redisUrl }) {
    const nextQueue = queueNames(this.name)
    const producer = await forkProducer(peer.name)
    return {
      async pass(messages, timed) {
        const place = { redisUrl, queue: nextQueue() }
        const latenciesUs = new Float64Array(messages)
        const tally = new Tally(messages)
        const consumer = await peer.openConsumer(place, {
          concurrency: CONCURRENCY,
          async handler(body) {
            latenciesUs[numberOf(body)] = clockUs() - body.sentAt
            tally.add(body)
          },
        })
        await consumer.start()
        await producer.ask({ kind: 'open', place })
        await timed(async () => {
          const [{ cpuUs }] = await Promise.all([
            producer.ask({ kind: 'publishAtRate', messages, perSecond: PER_SECOND }),
            settled(tally, consumer),
          ])
          return { latenciesUs, otherClientCpuUs: cpuUs }
        })
        await producer.ask({ kind: 'close' })
        await consumer.close()
      },
      close: () => producer.stop(),
    }
  },
}
