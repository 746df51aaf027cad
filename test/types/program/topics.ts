import { defineTopics, type } from '@busway/bus'
import { avro } from '@busway/plugin-schema'

// An interface on purpose: it has no index signature.
export interface OrderPaid {
  id: string
  paidAt: Date
}

export const topics = defineTopics({
  'orders.created': avro({
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'total', type: 'double' },
      { name: 'note', type: ['null', 'string'], default: null },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'state', type: { type: 'enum', name: 'State', symbols: ['new', 'old'] } },
      {
        name: 'lines',
        type: { type: 'array', items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] } },
      },
    ],
  }),
  'orders.paid': { body: type<OrderPaid>(), retain: '7d', partitions: 8, groups: ['ledger'] },
  'fares.quote': { body: type<{ from: string; to: string }>(), reply: type<{ price: number }>() },
  'fares.spoken': { body: type<string>(), reply: type<number>() },
})
