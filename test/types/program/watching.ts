// What happens to messages, and how one ended.
import { createBus, type DeadReason, type Settled, type TopicEvent, type TopicEvents } from '@busway/bus'
import { same } from './equal.js'
import { topics } from './topics.js'

const bus = createBus({ service: 'dashboard', topics })

const events: TopicEvents = bus.events('orders.paid', { buffer: 10_000 })
await events.ready
for await (const event of events) {
  event.topic satisfies string
  event.time satisfies Date
  // @ts-expect-error not before it is told apart: what was missed has none
  event.id
  if (event.type === 'missed') event.count satisfies number | undefined
  else event.id satisfies string
  if (event.type === 'settled') event.result satisfies unknown
  if (event.type === 'retried') event.dueAt satisfies Date
  if (event.type === 'dead') event.reason satisfies DeadReason
  if (event.type === 'progress') event.value satisfies unknown
  // @ts-expect-error no such event
  if (event.type === 'active') break
}
await events.close()
// @ts-expect-error no such topic
bus.events('orders.payed')
// @ts-expect-error no such option
bus.events('orders.paid', { bufer: 1 })
export const isOver = (event: TopicEvent): boolean => event.type === 'settled' || event.type === 'dead'

const { id } = await bus.publish('fares.quote', { from: 'OSL', to: 'CDG' }, { keepResult: '1h' })
const end = await bus.topic('fares.quote').settled(id, { group: 'fares', timeout: '5s' })
same<typeof end, Settled<{ price: number }>>()
end.result?.price satisfies number | undefined
end.error?.message satisfies string | undefined
// @ts-expect-error an end is not a state
end.outcome === 'ready'
// A topic without a reply: anything.
const { result } = await bus.topic('orders.paid').settled(id)
same<typeof result, unknown>()

bus.consume('orders.paid', (_, ctx) => {
  ctx.progress({ percent: 42 })
  // @ts-expect-error what is to be told
  ctx.progress()
})
