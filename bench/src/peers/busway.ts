import { createRequire } from 'node:module'
import { type Bus, createBus, defineTopics, type } from '@busway/bus'
import type { Body } from '../body.js'
import type { Peer, Place } from '../peer.js'

const { version } = createRequire(import.meta.url)('../../../packages/bus/package.json') as { version: string }

export const GROUP = 'orders'

/** Busway with its defaults, without plugins; producer and consumer are a bus each. */
export const busway: Peer = {
  name: 'busway',
  version,

  async openProducer(place) {
    const bus = openBus(place)
    await bus.ready()
    return {
      publish: (body, { key, delayMs } = {}) => {
        if (key !== undefined) return bus.publish(place.queue, body, { key })
        if (delayMs !== undefined) return bus.publish(place.queue, body, { delay: delayMs })
        return bus.publish(place.queue, body)
      },
      publishBatch: (bodies) =>
        bus.publishBatch(
          place.queue,
          bodies.map((body) => ({ body })),
        ),
      close: async () => void (await bus.close()),
    }
  },

  async openConsumer(place, { concurrency, rate, handler }) {
    const bus = openBus(place)
    // Loaded only where it is measured.
    if (rate !== undefined) bus.use((await import('@busway/plugin-ratelimit')).ratelimit())
    await bus.ready()
    const limited = rate === undefined ? {} : { rate: { limit: rate, per: '1s' } }
    return {
      async start() {
        const subscription = bus.consume(place.queue, (message) => handler(message.body), {
          ...limited,
          group: GROUP,
          concurrency,
        })
        await subscription.ready
      },
      isDrained: () => isDrained(bus, place.queue),
      close: async () => void (await bus.close()),
    }
  },

  async openSubscriptions(redisUrl, queues) {
    const bus = createBus({ service: GROUP, redis: redisUrl, logger: false })
    await Promise.all(queues.map((queue) => bus.consume(queue, () => undefined).ready))
    return { close: async () => void (await bus.close()) }
  },
}

/** Whether nothing of a topic waits, runs, or is to be run again. */
export async function isDrained(bus: Pick<Bus, 'topic'>, topic: string): Promise<boolean> {
  const { scheduled, unclaimed, groups } = await bus.topic(topic).stats()
  const group = groups[GROUP]
  const left = group ? group.ready + group.inFlight + group.retrying + group.held : 0
  return scheduled + unclaimed + left === 0
}

/** The groups are declared, so that what is published waits for it, as a job waits in its queue. */
function openBus({ redisUrl, queue, groups = 1 }: Place) {
  const others = Array.from({ length: groups - 1 }, (_, i) => `${GROUP}-${i + 2}`)
  const topics = defineTopics({ [queue]: { body: type<Body>(), groups: [GROUP, ...others] } })
  return createBus({ service: GROUP, redis: redisUrl, topics, logger: false })
}
