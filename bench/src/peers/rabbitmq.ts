import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type ConsumeMessage, connect } from 'amqplib'
import type { Body } from '../body.js'
import { Lanes } from '../lanes.js'
import type { Peer } from '../peer.js'
import { serverOf } from '../servers/index.js'

const require = createRequire(import.meta.url)
// It exports no package.json.
const { version } = require(join(dirname(require.resolve('amqplib')), 'package.json')) as { version: string }

const GROUP = 'orders'
/** In hand at once, whatever the concurrency: its documentation advises 100 to 300. */
const PREFETCH = 300
/** Kept in memory, as the bench's Redis keeps its data. */
const TRANSIENT = { durable: false }
/** Exchanges of this process, which knows no other way to find them again. */
const used = new Map<string, Set<string>>()

/** RabbitMQ with amqplib: classic queues behind an exchange, publishes that are confirmed, a message acknowledged by itself. */
export const rabbitmq: Peer = {
  name: 'rabbitmq',
  version,

  async openProducer({ queue, groups = 1 }) {
    const connection = await open()
    const channel = await connection.createConfirmChannel()
    await channel.assertExchange(queue, 'fanout', TRANSIENT)
    for (let i = 1; i <= groups; i++) await declare(channel, queue, i === 1 ? GROUP : `${GROUP}-${i}`)
    return {
      publish: (body) =>
        new Promise<void>((resolve, reject) => {
          const content = Buffer.from(JSON.stringify(body))
          channel.publish(queue, '', content, { persistent: false }, (error) => (error ? reject(error) : resolve()))
        }),
      publishBatch: () => Promise.reject(new Error('RabbitMQ has no call that publishes several messages.')),
      close: () => connection.close(),
    }
  },

  async openConsumer({ queue }, { concurrency, handler }) {
    const connection = await open()
    const channel = await connection.createChannel()
    await channel.assertExchange(queue, 'fanout', TRANSIENT)
    const name = await declare(channel, queue, GROUP)
    await channel.prefetch(Math.max(PREFETCH, concurrency))
    const lanes = new Lanes<ConsumeMessage>(concurrency, async (message) => {
      await handler(JSON.parse(message.content.toString()) as Body)
      channel.ack(message)
    })
    return {
      async start() {
        await channel.consume(name, (message) => message && lanes.add(message))
      },
      // Asked on the channel of the acknowledgements, so that it is answered after them.
      isDrained: async () => lanes.isEmpty && (await channel.checkQueue(name)).messageCount === 0,
      close: () => connection.close(),
    }
  },

  async serverVersion() {
    const connection = await open()
    const { version } = connection.connection.serverProperties
    await connection.close()
    return `RabbitMQ ${version}`
  },

  async clear() {
    const connection = await open()
    const channel = await connection.createChannel()
    for (const [exchange, queues] of used) {
      for (const queue of queues) await channel.deleteQueue(queue)
      await channel.deleteExchange(exchange)
    }
    await connection.close()
    used.clear()
  },
}

/** Sends small packets at once: by default they would wait for the acknowledgement of those before. */
const open = () => connect(serverOf('rabbitmq').url, { noDelay: true })

interface Declaring {
  assertQueue(queue: string, options: typeof TRANSIENT): Promise<unknown>
  bindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>
}

/** A group's queue. One that is there already is left as it is. */
async function declare(channel: Declaring, exchange: string, group: string): Promise<string> {
  const queue = `${exchange}.${group}`
  await channel.assertQueue(queue, TRANSIENT)
  await channel.bindQueue(queue, exchange, '')
  used.set(exchange, (used.get(exchange) ?? new Set()).add(queue))
  return queue
}
