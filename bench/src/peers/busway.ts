import { createRequire } from 'node:module'
import { createBus, defineTopics, type } from '@busway/bus'
import type { Body } from '../body.js'
import type { Peer, Place } from '../peer.js'

const { version } = createRequire(import.meta.url)('../../../packages/bus/package.json') as { version: string }

const GROUP = 'orders'

/** Busway with its defaults, without plugins; producer and consumer are a bus each. */
export const busway: Peer = {
  name: 'busway',
  version,

  async openProducer(place) {
    const bus = openBus(place)
    await bus.ready()
    return {
      publish: (body) => bus.publish(place.queue, body),
      publishBatch: (bodies) =>
        bus.publishBatch(
          place.queue,
          bodies.map((body) => ({ body })),
        ),
      close: async () => void (await bus.close()),
    }
  },

  async openConsumer(place, { concurrency, handler }) {
    const bus = openBus(place)
    await bus.ready()
    return {
      async start() {
        const subscription = bus.consume(place.queue, (message) => handler(message.body), { group: GROUP, concurrency })
        await subscription.ready
      },
      async isDrained() {
        const { scheduled, unclaimed, groups } = await bus.topic(place.queue).stats()
        const group = groups[GROUP]
        const left = group ? group.ready + group.inFlight + group.retrying + group.held : 0
        return scheduled + unclaimed + left === 0
      },
      close: async () => void (await bus.close()),
    }
  },
}

/** The group is declared, so that what is published waits for it, as a job waits in its queue. */
function openBus({ redisUrl, queue }: Place) {
  const topics = defineTopics({ [queue]: { body: type<Body>(), groups: [GROUP] } })
  return createBus({ service: GROUP, redis: redisUrl, topics, logger: false })
}
