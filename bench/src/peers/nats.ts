import { createRequire } from 'node:module'
import {
  AckPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Body } from '../body.js'
import { Lanes } from '../lanes.js'
import type { Peer } from '../peer.js'
import { serverOf } from '../servers/index.js'

/** The client's: its own package.json cannot be loaded. */
const { devDependencies } = createRequire(import.meta.url)('../../package.json') as {
  devDependencies: { '@nats-io/jetstream': string }
}

const GROUP = 'orders'

/** JetStream with its client's defaults: a publish is confirmed, a message acknowledged by itself, and gone when each group has done so. */
export const nats: Peer = {
  name: 'nats',
  version: devDependencies['@nats-io/jetstream'],

  async openProducer({ queue, groups = 1 }) {
    const connection = await open()
    const manager = await jetstreamManager(connection)
    for (let i = 1; i <= groups; i++) await declare(manager, queue, i === 1 ? GROUP : `${GROUP}-${i}`)
    const stream = jetstream(connection)
    return {
      publish: (body) => stream.publish(queue, JSON.stringify(body)),
      publishBatch: () => Promise.reject(new Error('JetStream has no call that publishes several messages.')),
      close: () => connection.close(),
    }
  },

  async openConsumer({ queue }, { concurrency, handler }) {
    const connection = await open()
    const manager = await jetstreamManager(connection)
    await declare(manager, queue, GROUP)
    const consumer = await jetstream(connection).consumers.get(queue, GROUP)
    const lanes = new Lanes<JsMsg>(concurrency, async (message) => {
      await handler(message.json<Body>())
      message.ack()
    })
    return {
      async start() {
        await consumer.consume({ callback: (message) => lanes.add(message) })
      },
      async isDrained() {
        const { num_pending, num_ack_pending } = await manager.consumers.info(queue, GROUP)
        return num_pending + num_ack_pending === 0
      },
      close: () => connection.close(),
    }
  },

  async serverVersion() {
    const connection = await open()
    const { info } = connection
    await connection.close()
    return `NATS ${info?.version}`
  },

  async clear() {
    const connection = await open()
    const manager = await jetstreamManager(connection)
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
    await connection.close()
  },
}

const open = () => connect({ servers: serverOf('nats').url })

/** A stream and one of its groups. Streams and durable consumers that are there already, as they should be, are left as they are. */
async function declare(manager: JetStreamManager, stream: string, group: string): Promise<void> {
  await manager.streams.add({
    name: stream,
    subjects: [stream],
    storage: StorageType.Memory,
    retention: RetentionPolicy.Interest,
  })
  await manager.consumers.add(stream, { durable_name: group, ack_policy: AckPolicy.Explicit })
}
