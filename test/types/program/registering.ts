// Both ways to register plugins, and topics as types, as values, or not at all.
import { type Bus, createBus, loadBus, type RequestReply, topicTypes } from '@busway/bus'
import { same } from './equal.js'
import { dedupe, flow, schedule } from './plugins.js'
import { topics } from './topics.js'

const paid = { id: '1', paidAt: new Date() }

// use() adds up.
const used = createBus({ service: 'b', topics }).use(dedupe()).use(flow())
await used.publish('orders.paid', paid, { dedupe: {} })
used.flows.publish
// @ts-expect-error not registered
used.schedules
// @ts-expect-error not a plugin
used.use({ name: 'x' })
const both = createBus({ service: 'b', topics, plugins: [dedupe()] }).use(schedule())
both.schedules.upsert
await both.publish('orders.paid', paid, { dedupe: {} })

// Types only, an interface, no schema values.
interface Types {
  'a.b': { x: number }
  q: RequestReply<{ n: number }, string>
  spoken: RequestReply<string, number>
}
const typed = createBus({ service: 'c', topics: topicTypes<Types>() })
typed.consume('a.b', (message) => message.body.x.toFixed())
export const reply: string = await typed.request('q', { n: 1 })
export const answer: number = await typed.request('spoken', 'a question')
// @ts-expect-error no such topic
await typed.publish('a.c', { x: 1 })

// No topics at all: any name, unknown bodies.
const free = createBus({ service: 'd' })
free.consume('anything.*', (message) => {
  same<typeof message.topic, string>()
  same<typeof message.body, unknown>()
  // @ts-expect-error unknown until it is looked at
  message.body.x
})
await free.publish('anything', { x: 1 })
await free.use(dedupe()).publish('anything', 1, { dedupe: { key: 'k' } })

// From a file: what code calls is named in code, the file adds and configures.
const loaded = await loadBus({
  config: new URL('./deployments/production.json', import.meta.url),
  topics,
  plugins: [dedupe(), schedule()],
})
loaded.schedules.upsert
// @ts-expect-error not named in code
loaded.flows

// A function over any bus that has what it needs.
const once = (bus: Bus<{ a: string }, 'dedupe'>) => bus.publish('a', 'x', { dedupe: { key: 'x' } })
await once(createBus({ service: 'e', topics: topicTypes<{ a: string }>(), plugins: [dedupe()] }))
await once(createBus({ service: 'e', topics: topicTypes<{ a: string }>(), plugins: [flow(), dedupe()] }))
// @ts-expect-error it lacks the plugin
await once(createBus({ service: 'e', topics: topicTypes<{ a: string }>(), plugins: [] }))
