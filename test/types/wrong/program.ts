// Every line here is wrong, on purpose: the test fails if the checker lets one pass.
import { type Bus, createBus, type Duration, defineTopics, type Handler, type Plugin, type } from '@busway/bus'
import { avro, schema } from '@busway/plugin-schema'

const topics = defineTopics({
  'orders.paid': type<{ id: string }>(),
  'fares.quote': { body: type<string>(), reply: type<number>() },
  'seats.sold': avro({ type: 'record', name: 'Seat', fields: [{ name: 'row', type: 'int' }] }),
})
const bus = createBus({ service: 'wrong', topics })

bus.publish('orders.payed', { id: '1' })
bus.publish('orders.paid', { id: 1 })
bus.publish('orders.paid', { id: '1' }, { delay: '5 parsecs' })
bus.publish('orders.paid', { id: '1' }, { dealy: '5s' })
bus.publish('seats.sold', { row: 'A' })
bus.publish('seats.sold', { row: 1, seat: 'A' })
bus.consume('seats.sold', (message) => message.body.seat)
schema({ compatibility: 'BACKWARDS' })
bus.publishBatch('orders.paid', [{ body: { id: 1 } }])
bus.consume('invoices.*', () => {})
bus.consume('orders.paid', (message) => message.body.total)
bus.consume('fares.quote', () => 'nine')
bus.consume('orders.paid', () => {}, { concurency: 5 })
bus.consumeBatch('orders.paid', (messages) => messages.body, { batch: { size: 10 } })
bus.consumeBatch('orders.paid', () => {}, { batch: 10 })
bus.use({ name: 'no-api', setup() {} })
createBus({ topics })
export const handler: Handler<typeof bus, 'orders.payed'> = () => {}
export const duration: Duration = '5'
export const plugin: Plugin<'p'> = { name: 'p', api: 1, setup: (scope) => scope.observe('settle', () => {}) }
export const other: Bus<{ a: string }> = bus
