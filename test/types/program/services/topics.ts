import { defineTopics, type } from '@busway/bus'
import { avro } from '@busway/plugin-schema'

export const topics = defineTopics({
  'flights.departed': {
    body: avro({
      type: 'record',
      name: 'Flight',
      fields: [
        { name: 'origin', type: 'string' },
        { name: 'delay', type: 'int' },
        { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      ],
    }),
    partitions: 4,
  },
  'airports.delayed': type<{ airport: string; meanDelay: number }>(),
  'fares.quote': { body: type<{ from: string }>(), reply: type<{ price: number }>() },
})
