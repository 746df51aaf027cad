import { clockUs, numberOf } from '../body.js'
import { COSTS } from '../metrics.js'
import { forkProducer } from '../producer-process.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'

const EVERY_MS = 5

/** A message now and then to a consumer that waits in another process: from before its publish to the start of its handler. */
export const idleLatency: Scenario = {
  name: 'idle-latency',
  title: `one message every ${EVERY_MS} ms to an idle consumer in another process (hand-over: RPUSH to a BLPOP that waits)`,
  needs: ['queue'],
  guests: ['hand-over'],
  metrics: ['p50Us', 'p99Us', ...COSTS],
  fewestMessages: 400,

  async open(peer, { redisUrl }) {
    const nextQueue = queueNames(this.name)
    const producer = await forkProducer(peer.name)
    return {
      async pass(messages, timed) {
        const place = { redisUrl, queue: nextQueue() }
        const latenciesUs = new Float64Array(messages)
        const tally = new Tally(messages)
        const consumer = await peer.openConsumer(place, {
          concurrency: 1,
          async handler(body) {
            latenciesUs[numberOf(body)] = clockUs() - body.sentAt
            tally.add(body)
          },
        })
        await consumer.start()
        await producer.ask({ kind: 'open', place })
        await timed(async () => {
          const [{ cpuUs }] = await Promise.all([
            producer.ask({ kind: 'publishNowAndThen', messages, everyMs: EVERY_MS }),
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
