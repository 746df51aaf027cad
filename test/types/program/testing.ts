// The kit for tests of services.
import { type BatchHandler, createBus, type Handler } from '@busway/bus'
import { idle, testBatchContext, testContext, testMessage } from '@busway/testing'
import { flow, ratelimit } from './plugins.js'
import { type OrderPaid, topics } from './topics.js'

const bus = createBus({ service: 'orders', topics, plugins: [ratelimit(), flow()] })
type AppBus = typeof bus
declare const onPaid: Handler<AppBus, 'orders.paid'>
declare const onQuote: Handler<AppBus, 'fares.quote'>

const paid = testMessage<AppBus, 'orders.paid'>(
  'orders.paid',
  { id: '1', paidAt: new Date() },
  { attempt: 2, key: 'k' },
)
paid.body satisfies OrderPaid
// @ts-expect-error no such topic
testMessage<AppBus, 'orders.payed'>('orders.payed', { id: '1' })
// @ts-expect-error what a message does not have
testMessage<AppBus, 'orders.paid'>('orders.paid', { id: '1', paidAt: new Date() }, { attempts: 2 })
// @ts-expect-error the topic is said already
testMessage<AppBus, 'orders.paid'>('orders.paid', { id: '1', paidAt: new Date() }, { topic: 'orders.paid' })

const ctx = testContext<AppBus>({ group: 'ledger', children: async () => [{ topic: 'a', result: 1 }] })
await onPaid(paid, ctx)
// @ts-expect-error a message of another topic
await onQuote(paid, ctx)
// @ts-expect-error no plugin adds it
testContext<AppBus>({ tenant: 'acme' })
// @ts-expect-error a plugin's addition of the wrong type
testContext<AppBus>({ children: async () => 1 })

// What was published is told apart by its topic.
for (const { topic, body, options } of ctx.published) {
  if (topic === 'orders.paid') body satisfies OrderPaid
  // @ts-expect-error not before it is told apart
  body.paidAt
  options.key satisfies string | undefined
}
// @ts-expect-error only handlers add to it
ctx.published.push({ topic: 'orders.paid', body: { id: '1', paidAt: new Date() }, options: {} })
ctx.progress({ printed: 1 })
ctx.progressed satisfies readonly unknown[]
// @ts-expect-error only handlers add to it
ctx.progressed.push(1)
ctx.abort(new Error('late'))

declare const onManyPaid: BatchHandler<AppBus, 'orders.paid'>
const all = testBatchContext<AppBus>({ group: 'ledger' }, ({ topic }) => ({
  children: async () => [{ topic, result: 1 }],
}))
await onManyPaid([paid], all)
all.of(paid).published.length satisfies number
all.abort()
// @ts-expect-error what plugins add is about one message
all.children()

await idle(bus)
await idle(bus, ['orders.paid'], { timeout: '5s', ignore: ['retrying', 'scheduled', 'unclaimed'] })
// @ts-expect-error no such topic
await idle(bus, ['orders.payed'])
// @ts-expect-error what runs cannot be ignored
await idle(bus, ['orders.paid'], { ignore: ['inFlight'] })

// Without known topics any will do.
const any = createBus({ service: 'any' })
testMessage('anything', 1).body satisfies unknown
await testContext().publish('anything', { x: 1 })
await idle(any, ['anything'])
