/** A process whose buses register the schemas that it is told, all at once, and says what came of each. Started by registering.test.ts. */
import { createBus, defineTopics } from '@busway/bus'
import { avro, type Compatibility, schema } from '@busway/plugin-schema'

const { REDIS = '', NAMESPACE = '', COMPATIBILITY = '' } = process.env
process.on('disconnect', () => process.exit(0))
process.on('message', async (schemas: object[]) => {
  const buses = schemas.map((each) =>
    createBus({
      service: 'registrar',
      redis: REDIS,
      namespace: NAMESPACE,
      logger: false,
      topics: defineTopics({ orders: avro(each) }),
      plugins: [schema({ compatibility: COMPATIBILITY as Compatibility })],
    }),
  )
  process.send?.(
    await Promise.all(
      buses.map((bus) =>
        bus.ready().then(
          () => 'ready',
          (error) => error.code as string,
        ),
      ),
    ),
  )
  await Promise.all(buses.map((bus) => bus.close()))
})
process.send?.('started')
