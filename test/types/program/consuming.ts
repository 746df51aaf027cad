import {
  BatchError,
  type BatchHandler,
  type BusOf,
  type ConsumeContext,
  createBus,
  type Handler,
  type Message,
  type Subscription,
} from '@busway/bus'
import { same } from './equal.js'
import { dedupe, flow, ratelimit } from './plugins.js'
import { type OrderPaid, topics } from './topics.js'

const bus = createBus({ service: 'orders', topics, plugins: [dedupe(), ratelimit(), flow()] })

const subscription: Subscription = bus.consume(
  'orders.created',
  async (message, ctx) => {
    same<typeof message.topic, 'orders.created'>()
    const at: Date = message.body.at
    await ctx.publish('orders.paid', { id: message.body.id, paidAt: at }, { key: 'a' })
    await ctx.publish('orders.paid', { id: message.body.id, paidAt: at }, { dedupe: { key: 'a' } })
    // @ts-expect-error ctx.publish is typed by topic
    await ctx.publish('orders.paid', { id: 4 })
    if (ctx.signal.aborted) ctx.rateLimit('10s')
    const children = await ctx.children()
    ctx.log.info({ children: children.length }, 'seen')
    // @ts-expect-error no plugin added it
    ctx.tenant
    // @ts-expect-error a message is what was said
    message.id = 'x'
  },
  { concurrency: 5, inbox: { window: '1h' }, retry: { attempts: 3, backoff: (attempt) => attempt * 100 } },
)
await subscription.ready
// @ts-expect-error no such option
bus.consume('orders.paid', () => {}, { concurency: 5 })
// @ts-expect-error a plugin's option of the wrong type
bus.consume('orders.paid', () => {}, { inbox: { window: 'long' } })
// @ts-expect-error no plugin, no option
createBus({ service: 'bare', topics }).consume('orders.paid', () => {}, { inbox: { window: '1h' } })

// A pattern means a union, told apart by topic.
bus.consume('orders.*', (message) => {
  same<typeof message.topic, 'orders.created' | 'orders.paid'>()
  if (message.topic === 'orders.paid') same<typeof message.body, OrderPaid>()
  else message.body.total.toFixed()
  // @ts-expect-error not before it is told apart
  message.body.total
})
bus.consume('orders.>', (message) => {
  message.topic satisfies 'orders.created' | 'orders.paid'
})
bus.consume('>', (message) =>
  same<typeof message.topic, 'orders.created' | 'orders.paid' | 'fares.quote' | 'fares.spoken'>(),
)
bus.consume('*.paid', (message) => same<typeof message.topic, 'orders.paid'>())
// @ts-expect-error nothing matches
bus.consume('invoices.*', () => {})
// @ts-expect-error one token is not two
bus.consume('*', () => {})
// @ts-expect-error no such topic
bus.consume('orders.payed', () => {})

// A topic that declares a reply wants it from its handler; every other result is free.
bus.consume('fares.quote', () => ({ price: 9 }))
bus.consume('fares.quote', async () => ({ price: 9 }))
// @ts-expect-error not the reply
bus.consume('fares.quote', () => ({ prize: 9 }))
// @ts-expect-error no reply
bus.consume('fares.quote', async () => {})
bus.consume('orders.paid', () => 'anything')

// A handler in its own file.
export const onPaid: Handler<typeof bus, 'orders.paid'> = async (message, ctx) => {
  const { body } = message
  ctx.log.info({ id: body.id }, 'paid')
  // @ts-expect-error that is another topic's
  body.total
}
bus.consume('orders.paid', onPaid)
// @ts-expect-error the handler of another topic
bus.consume('orders.created', onPaid)
export const onOrder: Handler<typeof bus, 'orders.*'> = (message) =>
  message.topic satisfies 'orders.created' | 'orders.paid'
bus.consume('orders.*', onOrder)
export const onQuote: Handler<typeof bus, 'fares.quote'> = () => ({ price: 9 })
bus.consume('fares.quote', onQuote)
// @ts-expect-error no such topic
export const onNothing: Handler<typeof bus, 'orders.payed'> = () => {}

// Batches: a list of messages, and a context for all of them.
const batches: Subscription = bus.consumeBatch(
  'orders.paid',
  async (messages, ctx) => {
    same<(typeof messages)[number]['body'], OrderPaid>()
    await ctx.publish('orders.created', { id: '1', total: 1, note: null, at: new Date(), state: 'new', lines: [] })
    // @ts-expect-error typed by topic
    await ctx.publish('orders.paid', { id: 4 })
    // @ts-expect-error what plugins add is about one message
    ctx.rateLimit('10s')
    for (const message of messages) {
      const one = ctx.of(message)
      one.rateLimit('10s')
      await one.publish('orders.paid', message.body, { dedupe: { key: 'a' } })
    }
    // @ts-expect-error the messages are what was said
    messages.push(messages[0])
    if (ctx.signal.aborted)
      throw new BatchError(
        messages.map(({ id }) => id),
        { cause: new Error('why') },
      )
    throw new BatchError(new Map(messages.map(({ id }) => [id, new Error(id)])))
  },
  { batch: { size: 100, wait: '1s' }, concurrency: 2, inbox: { window: '1h' } },
)
await batches.ready
// @ts-expect-error what makes a batch has to be said
bus.consumeBatch('orders.paid', () => {})
// @ts-expect-error and how large it is
bus.consumeBatch('orders.paid', () => {}, { batch: { wait: '1s' } })
// @ts-expect-error a batch is of one topic
bus.consumeBatch('orders.*', () => {}, { batch: { size: 10 } })
// @ts-expect-error an option of batches
bus.consume('orders.paid', () => {}, { batch: { size: 10 } })
// A topic that declares a reply wants one for each message.
bus.consumeBatch('fares.quote', (messages) => messages.map(() => ({ price: 9 })), { batch: { size: 10 } })
bus.consumeBatch('fares.quote', async (messages) => messages.map(() => ({ price: 9 })), { batch: { size: 10 } })
// @ts-expect-error not the replies
bus.consumeBatch('fares.quote', () => ({ price: 9 }), { batch: { size: 10 } })
// @ts-expect-error no replies
bus.consumeBatch('fares.quote', async () => {}, { batch: { size: 10 } })
export const onManyPaid: BatchHandler<typeof bus, 'orders.paid'> = async (messages, ctx) => {
  for (const message of messages) ctx.of(message).log.info({ id: message.body.id }, 'paid')
}
bus.consumeBatch('orders.paid', onManyPaid, { batch: { size: 10 } })
// @ts-expect-error the handler of another topic
bus.consumeBatch('orders.created', onManyPaid, { batch: { size: 10 } })

// The parts by name.
const handle = (message: Message<{ a: string }>, ctx: ConsumeContext<{ a: string }>) => ctx.publish('a', message.body)
createBus({ service: 'a', topics: { '~topics': undefined as { a: string } | undefined } }).consume('a', handle)

// Administration.
const page = await bus.topic('orders.paid').group('ledger').deadLetters({ limit: 10 })
export const redriven: number = await bus
  .topic('orders.paid')
  .group('ledger')
  .redrive(page.items.map((item) => item.id))
const letter = page.items[0]?.body
if (letter !== undefined && !(letter instanceof Uint8Array)) letter.paidAt.getTime()
// @ts-expect-error a dead letter's body may be bytes that nobody could decode
letter?.paidAt
export const names: string[] = await bus.topics()
export const passedOn: BusOf<typeof topics> = createBus({ service: 'passed', topics })
// @ts-expect-error no such topic
bus.topic('orders.payed')
bus.on('connection', ({ state }) => state satisfies 'up' | 'down')
// @ts-expect-error no such event
bus.on('disconnect', () => {})
