/** All plugins on one bus, in every order that is allowed: each does what it does alone. */
import { createBus, defineTopics, type Plugin } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { type Flows, flow } from '@busway/plugin-flow'
import { metrics } from '@busway/plugin-metrics'
import { ratelimit } from '@busway/plugin-ratelimit'
import { sandboxes } from '@busway/plugin-sandbox'
import { schedule } from '@busway/plugin-schedule'
import { avro, schema } from '@busway/plugin-schema'
import { tracing } from '@busway/plugin-tracing'
import { expect } from 'chai'
import { spans as makeSpans } from '../plugin-tracing/spans.js'
import { isFull } from '../support/effort.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'

const Order = avro({ type: 'record', name: 'Order', fields: [{ name: 'n', type: 'int' }] })
const topics = defineTopics({ 'orders.paid': { body: Order } })

/** What has a part in a message's way; the rest follows. */
const onTheWay = {
  tracing: () => tracing(),
  metrics: () => metrics({ prometheus: { port: 0, host: '127.0.0.1' } }),
  schema: () => schema(),
  dedupe: () => dedupe(),
  ratelimit: () => ratelimit(),
}
type Name = keyof typeof onTheWay

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((first, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [first, ...rest]),
  )
}

describe('all plugins together', function () {
  this.timeout(120_000)
  const world = makeWorld()
  const spans = makeSpans()

  async function works(order: readonly Name[]): Promise<void> {
    const { server } = world
    const namespace = `${world.namespace}-${order.join('-')}`
    const log = world.log.logger
    const plugins: Plugin[] = [...order.map((name) => onTheWay[name]()), schedule({ fire: false }), flow(), sandboxes()]
    // Typed by each of them in tests of its own; here their order is a list.
    const bus = createBus({ service: 'shop', redis: server.url, namespace, logger: log, topics, plugins })
    const traceIds = new Received<string | undefined>()
    const handled = new Received<unknown>()
    await bus.consume(
      'orders.paid',
      ({ body }, ctx) => {
        handled.add({ ...body })
        traceIds.add((ctx as { trace?: { traceId: string } }).trace?.traceId)
      },
      { inbox: { window: '1h' }, rate: { limit: 1000, per: '1s' } } as object,
    ).ready
    const options = { dedupe: { key: 'a' }, rate: { limit: 3, per: '1h', burst: 3 } } as object
    const first = await bus.publish('orders.paid', { n: 1 }, options)
    const again = await bus.publish('orders.paid', { n: 2 }, options)
    expect([first.status, again.status]).to.deep.equal(['accepted', 'duplicate'])
    expect(await bus.publish('orders.paid', { n: 'x' } as never).catch((error) => error.code)).to.equal('INVALID_BODY')
    await handled.count(1)
    expect(handled.items).to.deep.equal([{ n: 1 }])
    expect((await traceIds.count(1))[0]).to.match(/^[0-9a-f]{32}$/)
    const { url } = (bus as unknown as { metrics: { url: string } }).metrics
    const scraped = await (await fetch(url)).text()
    expect(scraped).to.match(/messaging_client_sent_messages_total\{[^}]*orders\.paid[^}]*\} /)
    // Two more of the three that may be published: what was a duplicate does not count.
    const publish = (n: number) =>
      bus.publish('orders.paid', { n }, { rate: { limit: 3, per: '1h', burst: 3 } } as object)
    await publish(3)
    await publish(4)
    expect(await publish(5).catch((error) => error.code)).to.equal('PUBLISH_REJECTED')
    await handled.count(3)
    const flows = (bus as unknown as { flows: Flows<{ 'orders.paid': { n: number } }> }).flows
    await flows.publish({ topic: 'orders.paid', body: { n: 6 }, children: [{ topic: 'orders.paid', body: { n: 7 } }] })
    await handled.count(5)
    expect(handled.items.slice(3)).to.deep.equal([{ n: 7 }, { n: 6 }])
    await bus.topic('orders.paid').delete({ force: true })
    await bus.close()
  }

  it(`do what each does alone, in ${isFull ? 'each' : 'every fifth'} of the 120 orders of those that a message meets`, async () => {
    const names = Object.keys(onTheWay) as Name[]
    const all = permutations(names)
    expect(all).to.have.length(120)
    const orders = isFull ? all : all.filter((_, i) => i % 5 === 0)
    for (let i = 0; i < orders.length; i += 4) await Promise.all(orders.slice(i, i + 4).map(works))
    expect(spans.ended.items.length).to.be.at.least(orders.length)
  })
})
