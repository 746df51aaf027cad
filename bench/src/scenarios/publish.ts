import { publishBatches, publishInFlight, publishInTurn } from '../load.js'
import { COSTS } from '../metrics.js'
import type { Producer } from '../peer.js'
import { type Findings, queueNames, type Scenario } from '../scenario.js'
import { LARGE } from './large.js'

/** Publishes in flight, wherever a scenario publishes at full speed. */
export const IN_FLIGHT = 500
const BATCH = 100

/** One at a time: what a request handler that awaits its publish waits for. */
export const publishAwaited: Scenario = {
  ...publishing(
    'publish-awaited',
    'publish one at a time, each awaited (round-trip: SET)',
    async (producer, messages) => ({
      latenciesUs: await publishInTurn(producer, messages),
    }),
  ),
  guests: ['round-trip'],
  metrics: ['perSecond', 'p50Us', 'p99Us', ...COSTS],
}

/** A busy service: many callers, each awaiting its own publish. */
export const publishConcurrent: Scenario = {
  ...publishing('publish-concurrent', `publish one by one, ${IN_FLIGHT} in flight`, async (producer, messages) => {
    await publishInFlight(producer, messages, IN_FLIGHT)
    return {}
  }),
  guests: ['busway-plugins', 'busway-plugins-used'],
}

/** Our publishBatch beside BullMQ's addBulk. */
export const publishBatch = batches({ name: 'publish-batch', batch: BATCH })
export const publishLarge = LARGE.map((large) => ({
  ...batches({ ...large, name: `${large.name}-publish` }),
  mostMessages: large.mostMessages,
}))

function batches({
  name,
  batch,
  what = '',
  bodyBytes,
}: {
  name: string
  batch: number
  what?: string
  bodyBytes?: number
}): Scenario {
  return {
    ...publishing(
      name,
      `publish in batches of ${batch}${what && `, bodies${what}`}, each awaited`,
      async (producer, messages) => {
        await publishBatches(producer, messages, batch, bodyBytes)
        return {}
      },
    ),
    needs: ['queue', 'batch'],
  }
}

function publishing(
  name: string,
  title: string,
  publish: (producer: Producer, messages: number) => Promise<Findings>,
): Scenario {
  return {
    name,
    title,
    needs: ['queue'],
    metrics: ['perSecond', ...COSTS],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const producer = await peer.openProducer({ redisUrl, queue: nextQueue() })
          await timed(() => publish(producer, messages))
          await producer.close()
        },
        async close() {},
      }
    },
  }
}
