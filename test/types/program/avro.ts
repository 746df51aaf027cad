import { createBus, defineTopics } from '@busway/bus'
import { type AvroSchema, avro, type Infer, schema } from '@busway/plugin-schema'
import { same } from './equal.js'

const Order = avro({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'count', type: 'int' },
    { name: 'total', type: { type: 'bytes', logicalType: 'decimal', precision: 8, scale: 2 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'state', type: { type: 'enum', name: 'State', symbols: ['open', 'paid'] } },
    { name: 'before', type: ['null', 'State'], default: null },
    { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 16 } },
    { name: 'tags', type: { type: 'map', values: 'string' } },
    { name: 'related', type: { type: 'array', items: 'shop.Order' } },
  ],
} as const)

interface ExpectedOrder {
  id: string
  count: number
  total: string
  at: Date
  state: 'open' | 'paid'
  before: 'open' | 'paid' | null
  hash: Uint8Array
  tags: { [key: string]: string }
}
type Order = Infer<typeof Order>
declare const order: Order
order satisfies ExpectedOrder
same<Order['state'], 'open' | 'paid'>()
same<Order['before'], 'open' | 'paid' | null>()
same<Order['at'], Date>()
same<Order['total'], string>()
same<Order['related'][number]['related'][number]['count'], number>()

const tree = () => avro({ type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] })
declare const node: Infer<ReturnType<typeof tree>>
same<NonNullable<NonNullable<typeof node.next>['next']>['next'], typeof node.next>()

same<Infer<AvroSchema<string>>, string>()
const known = avro({ type: 'array', items: ['int', 'string'] })
same<Infer<typeof known>, (number | string)[]>()
// Only known at run time.
declare const loaded: object
const unknownSchema = avro(loaded)
same<Infer<typeof unknownSchema>, unknown>()

const topics = defineTopics({ orders: Order, counts: { body: known, groups: ['ledger'] } })
const bus = createBus({
  service: 'avro',
  topics,
  plugins: [schema({ compatibility: 'FULL', topics: { orders: 'NONE' } })],
})
await bus.publish('orders', order)
await bus.publish('counts', [1, 'two'])
// @ts-expect-error no symbol of the enum
await bus.publish('orders', { ...order, state: 'shipped' })
// @ts-expect-error a Date
await bus.publish('orders', { ...order, at: 5 })
// @ts-expect-error a field is missing
await bus.publish('orders', { id: 'x' })
// @ts-expect-error none of the union
await bus.publish('counts', [true])
bus.consume('orders', async ({ body }, ctx) => {
  body.at.getTime()
  // @ts-expect-error a string, since it is exact
  body.total.toFixed()
  // @ts-expect-error typed where it is staged as well
  await ctx.publish('counts', ['x', null])
})
const [latest] = await bus.schemas.versions('orders')
latest?.version.toFixed()
// @ts-expect-error no such topic
await bus.schemas.versions('order')
// @ts-expect-error no such mode
schema({ compatibility: 'BACKWARDS' })
