/** Listings know what is on them by the state that was asked for. */
import { createBus, defineTopics, type Peeked, type PeekState, type } from '@busway/bus'

const topics = defineTopics({ 'orders.paid': type<{ id: string }>() })
const bus = createBus({ service: 'office', topics })
const topic = bus.topic('orders.paid')
const group = topic.group('ledger')

for (const item of (await group.peek()).items) {
  item.state satisfies 'ready'
  if (!(item.body instanceof Uint8Array)) item.body.id satisfies string
  // @ts-expect-error nothing is due
  item.dueAt
}
for (const { state, since, consumer } of (await group.peek({ state: 'inFlight', limit: 5 })).items) {
  state satisfies 'inFlight'
  since satisfies Date
  consumer.pid satisfies number | undefined
}
for (const { dueAt, error } of (await group.peek({ state: 'retrying' })).items) {
  dueAt satisfies Date
  error.message satisfies string
}
for (const { reason } of (await group.peek({ state: 'dead' })).items) reason satisfies string
for (const { dueAt } of (await topic.peek({ state: 'scheduled' })).items) dueAt satisfies Date
for (const { state } of (await topic.peek({ state: 'unclaimed' })).items) state satisfies 'unclaimed'
for (const { leaseEndsAt, running } of (await group.consumers({ limit: 5 })).items) {
  leaseEndsAt satisfies Date
  running[0] satisfies string | undefined
}

const info = await topic.message('x')
if (info !== null) {
  if (!(info.body instanceof Uint8Array)) info.body.id satisfies string
  info.dueAt satisfies Date | undefined
  const at = info.groups.ledger
  if (at?.state === 'inFlight') at.consumer.pid satisfies number | undefined
  if (at?.state === 'dead') at.reason satisfies string
  // @ts-expect-error what is done is due at no time
  if (at?.state === 'done') at.dueAt
}
;(await topic.update('x', { priority: 1, body: { id: '1' } })) satisfies boolean
;(await topic.reschedule('x', '5m')) satisfies boolean
// @ts-expect-error an id is a string
await topic.update('x', { body: { id: 1 } })
;(await topic.cancel('x', { inFlight: true })) satisfies boolean

;(await topic.purge({ state: 'unclaimed' })) satisfies number
await topic.delete({ force: true })

export async function whenIsIt(state: PeekState): Promise<(Date | undefined)[]> {
  const { items } = await group.peek({ state })
  return items.map(when)
}

function when(message: Peeked<{ id: string }>): Date | undefined {
  switch (message.state) {
    case 'ready':
    case 'held':
      return undefined
    case 'inFlight':
      return message.since
    case 'retrying':
      return message.dueAt
    case 'dead':
      return message.diedAt
  }
}

// @ts-expect-error that is what no group has yet
group.peek({ state: 'scheduled' })
// @ts-expect-error the topic has no such messages
topic.peek({ state: 'ready' })
// @ts-expect-error a topic is looked at state by state
topic.peek()
// @ts-expect-error what a group has is purged by the group
topic.purge({ state: 'dead' })
