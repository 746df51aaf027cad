import { createBus, type Receipt, type Report, RequestError, type } from '@busway/bus'
import { dedupe, flow, ratelimit, schedule, tracing } from './plugins.js'
import { topics } from './topics.js'

const bus = createBus({
  service: 'orders',
  topics,
  plugins: [dedupe(), ratelimit(), schedule(), flow(), tracing()],
})
const paid = { id: '1', paidAt: new Date() }

// A body is its topic's.
const receipt: Receipt = await bus.publish('orders.paid', paid, { dedupe: { key: '1' }, delay: '5s' })
if (receipt.status === 'duplicate') receipt.duplicateOf.length
// @ts-expect-error only a duplicate has one
receipt.duplicateOf
await bus.publish('orders.created', {
  id: 'x',
  total: 1,
  note: null,
  at: new Date(),
  state: 'new',
  lines: [{ sku: 'a' }],
})
const created = { id: 'x', total: 1, note: null, at: new Date(), lines: [] }
// @ts-expect-error not one of the enum's symbols
await bus.publish('orders.created', { ...created, state: 'newish' })
// @ts-expect-error no such topic
await bus.publish('orders.payed', {})
// @ts-expect-error the body of another topic
await bus.publish('orders.paid', { from: 'OSL', to: 'CDG' })
// @ts-expect-error a body that lacks a field
await bus.publish('orders.paid', { id: '1' })

// Options are the kernel's and the plugins'.
await bus.publish('orders.paid', paid, { id: '1', type: 't', key: 'k', headers: { a: 'b' }, position: 'front' })
await bus.publish('orders.paid', paid, { deliverAt: new Date(), signal: AbortSignal.timeout(1) })
await bus.publish('orders.paid', paid, { priority: -3, expiresIn: '5m', keepResult: '1h' })
// @ts-expect-error a priority is a number
await bus.publish('orders.paid', paid, { priority: 'high' })
// @ts-expect-error no such option
await bus.publish('orders.paid', paid, { dealy: '5s' })
// @ts-expect-error not a duration
await bus.publish('orders.paid', paid, { delay: '5 seconds' })
// @ts-expect-error headers are text
await bus.publish('orders.paid', paid, { headers: { attempt: 1 } })
// @ts-expect-error a plugin's option of the wrong type
await bus.publish('orders.paid', paid, { dedupe: { key: 1 } })
// @ts-expect-error no plugin, no option
await createBus({ service: 'bare', topics }).publish('orders.paid', paid, { dedupe: { key: '1' } })

// Batches.
export const receipts: Receipt[] = await bus.publishBatch('orders.paid', [
  { body: paid, key: 'a' },
  { body: paid, dedupe: {} },
])
// @ts-expect-error one wrong body among right ones
await bus.publishBatch('orders.paid', [{ body: paid }, { body: { id: 1 } }])
// @ts-expect-error an entry is not a body
await bus.publishBatch('orders.paid', [paid])

// What plugins add to the bus knows its topics.
await bus.schedules.upsert('nightly', { cron: '0 3 * * *', topic: 'orders.paid', body: paid })
// @ts-expect-error wrong body for the topic, through a plugin's addition
await bus.schedules.upsert('nightly', { cron: '0 3 * * *', topic: 'orders.paid', body: { id: 1 } })
await bus.flows.publish({
  topic: 'orders.paid',
  body: paid,
  children: [{ topic: 'fares.quote', body: { from: 'a', to: 'b' } }],
})
// @ts-expect-error wrong body for a child
await bus.flows.publish({ topic: 'orders.paid', body: paid, children: [{ topic: 'fares.quote', body: paid }] })

// Requests resolve with the topic's reply.
export const price: number = (await bus.request('fares.quote', { from: 'OSL', to: 'CDG' }, { timeout: '2s' })).price
export const spoken: number = await bus.request('fares.spoken', 'Oslo to Paris')
// @ts-expect-error the reply is a number
export const notSpoken: string = await bus.request('fares.spoken', 'Oslo to Paris')
// @ts-expect-error a topic without a reply answers something unknown
export const unknown: { ok: boolean } = await bus.request('orders.paid', paid)
// @ts-expect-error a timeout is a duration
await bus.request('fares.spoken', 'Oslo to Paris', { timeout: 'soon' })
// @ts-expect-error a publish waits for no reply
await bus.publish('fares.spoken', 'Oslo to Paris', { timeout: '2s' })
await bus.request('fares.spoken', 'Oslo to Paris', { key: 'k' }).catch((error: unknown) => {
  if (!(error instanceof RequestError)) return
  error.handlerError?.code satisfies string | undefined
  error.outcome satisfies Report['outcome']
})

// @ts-expect-error a bus has a service
createBus({ topics })
// @ts-expect-error type is given a type, not a value
type<string>('x')
