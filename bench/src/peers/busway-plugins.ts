/** Busway with five plugins: what they cost beside the bare bus. */
import { createBus, defineTopics } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { metrics } from '@busway/plugin-metrics'
import { ratelimit } from '@busway/plugin-ratelimit'
import { avro, schema } from '@busway/plugin-schema'
import { tracing } from '@busway/plugin-tracing'
import { numberOf } from '../body.js'
import type { Peer, Place } from '../peer.js'
import { busway, GROUP, isDrained } from './busway.js'

const Order = avro({
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'n', type: 'long' },
    { name: 'sentAt', type: 'long' },
    { name: 'customer', type: 'string' },
    { name: 'currency', type: 'string' },
    { name: 'total', type: 'double' },
    {
      name: 'lines',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Line',
          fields: [
            { name: 'sku', type: 'string' },
            { name: 'quantity', type: 'int' },
          ],
        },
      },
    },
    { name: 'note', type: 'string' },
  ],
})

/** No message is held up by it, but each is counted. */
const WIDE_RATE = { limit: 10_000_000, per: '1s' } as const

/** Registered, with Avro bodies and metrics served: what a service pays whose messages ask for nothing. */
export const buswayPlugins = withPlugins('busway-plugins', false)

/** And used: each publish is deduplicated by a key, and the consumer has a rate. */
export const buswayPluginsUsed = withPlugins('busway-plugins-used', true)

function withPlugins(name: string, isUsed: boolean): Peer {
  return {
    name,
    version: busway.version,

    async openProducer(place) {
      const bus = openBus(place)
      await bus.ready()
      return {
        publish: (body) =>
          isUsed
            ? bus.publish(place.queue, body, { dedupe: { key: String(numberOf(body)) } })
            : bus.publish(place.queue, body),
        publishBatch: (bodies) =>
          bus.publishBatch(
            place.queue,
            bodies.map((body) => (isUsed ? { body, dedupe: { key: String(numberOf(body)) } } : { body })),
          ),
        close: async () => void (await bus.close()),
      }
    },

    async openConsumer(place, { concurrency, handler }) {
      const bus = openBus(place)
      await bus.ready()
      return {
        async start() {
          const options = isUsed ? { group: GROUP, concurrency, rate: WIDE_RATE } : { group: GROUP, concurrency }
          await bus.consume(place.queue, (message) => handler(message.body), options).ready
        },
        isDrained: () => isDrained(bus, place.queue),
        close: async () => void (await bus.close()),
      }
    },
  }
}

function openBus({ redisUrl, queue }: Place) {
  const topics = defineTopics({ [queue]: { body: Order, groups: [GROUP] } })
  const plugins = [schema(), tracing(), metrics({ prometheus: { port: 0 } }), dedupe(), ratelimit()] as const
  return createBus({ service: GROUP, redis: redisUrl, topics, plugins, logger: false })
}
