/** Buses with the plugin, in a test's world. */
import {
  type Bus,
  type BusOptions,
  createBus,
  type DeadLetter,
  defineTopics,
  type Plugin,
  type StandardSchemaV1,
} from '@busway/bus'
import { type SchemaOptions, schema } from '@busway/plugin-schema'
import { eventually } from '../support/eventually.js'
import type { World } from '../support/world.js'

export interface Equipment {
  readonly service?: string
  readonly options?: SchemaOptions
  readonly plugins?: readonly Plugin[]
}

/** A bus whose topic `orders` has this body, closed after the test. */
export function busOf(world: World, body: StandardSchemaV1<unknown, unknown>, equipment: Equipment = {}): Bus {
  return bare(world, [...(equipment.plugins ?? []), schema(equipment.options)], {
    ...(equipment.service === undefined ? {} : { service: equipment.service }),
    topics: defineTopics({ orders: body }),
  })
}

/** A bus with these plugins and options. */
export function bare(world: World, plugins: readonly Plugin[], options: Partial<BusOptions<object>> = {}): Bus {
  const bus = createBus({
    service: 'test',
    redis: world.server.url,
    namespace: world.namespace,
    logger: world.log.logger,
    ...options,
    plugins,
  })
  bus.on('error', () => {})
  world.atEnd(() => bus.close({ timeout: 2000 }))
  return bus as unknown as Bus
}

/** The dead letters of the group `test` of `orders`, once there are any. */
export const deadLetters = (world: World, bus: Bus): Promise<readonly DeadLetter[]> =>
  eventually(world, 'a dead letter', async () => {
    const { items } = await bus.topic('orders').group('test').deadLetters()
    return items.length > 0 ? items : undefined
  })

/** Publishes bytes as they are, marked as Avro. */
export const forger = (): Plugin => ({
  name: 'forger',
  api: 1,
  setup: (scope) =>
    scope.publish('encode', (batch, next) => {
      for (const message of batch.messages) message.contentType = 'application/avro'
      return next()
    }),
})

export const record = (name: string, ...fields: readonly object[]) => ({ type: 'record', name, fields })
