import { expect } from 'chai'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('a server that is rolled back (an older snapshot put back)', function () {
  this.timeout(60_000)
  const w = world()
  const rollBackAfter = async (what: () => Promise<unknown>) => {
    await w.redis.save()
    await what()
    await w.server.kill()
    await w.server.restart()
  }

  it('is noticed by the producer, which goes on in a new session', async () => {
    const publisher = w.bus()
    const rollbacks = new Received<{ side: string; topic: string }>()
    publisher.on('rollback', rollbacks.add)
    for (const n of numbers(50)) await publisher.publish('orders.paid', n)
    await rollBackAfter(async () => {
      for (const n of numbers(50, 50)) await publisher.publish('orders.paid', n)
    })
    await Promise.all(numbers(50, 100).map((n) => publisher.publish('orders.paid', n)))
    expect((await rollbacks.count(1))[0]).to.deep.include({ side: 'producer', topic: 'orders.paid' })
    const received = new Received<number>()
    const subscription = publisher.consume('orders.paid', ({ body }) => received.add(body as number), {
      concurrency: 1,
    })
    // What was confirmed in the lost second is gone; what was before and what came after is there, once, in order.
    expect(await received.count(100)).to.deep.equal([...numbers(50), ...numbers(50, 100)])
    await subscription.close()
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('is noticed by the consumer, which runs again what the server thinks is not settled', async () => {
    const publisher = w.bus()
    const consumer = w.bus()
    const rollbacks = new Received<{ side: string; topic: string; group?: string }>()
    consumer.on('rollback', rollbacks.add)
    const gate = new Gate()
    const runs = new Received<number>()
    const holding = new Received<number>()
    await consumer.consume(
      'orders.paid',
      async ({ body, attempt }) => {
        if (body === 0) {
          holding.add(attempt)
          await gate.opened
        } else runs.add(body as number)
      },
      { group: 'ledger', concurrency: 2, lease: 1500 },
    ).ready
    await publisher.publish('orders.paid', 0)
    await holding.count(1)
    await rollBackAfter(async () => {
      for (const n of numbers(30, 1)) await publisher.publish('orders.paid', n)
      await runs.count(30)
    })
    expect((await rollbacks.count(1))[0]).to.deep.include({ side: 'consumer', topic: 'orders.paid', group: 'ledger' })
    for (const n of numbers(30, 31)) await publisher.publish('orders.paid', n)
    await runs.until((items) => numbers(30, 31).every((n) => items.includes(n)), 'what came after')
    gate.open()
    // What was in hand belongs to a session that the server had forgotten: refused, it runs once more when that session's lease has ended.
    await holding.count(2)
    await consumer.close()
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('makes nobody publish what settles staged that it has forgotten: their messages run again and stage it again', async () => {
    const proxy = await w.proxy()
    const consumer = w.bus({ redis: proxy.url })
    const gate = new Gate()
    const runs = new Received<number>()
    await consumer.consume(
      'orders.paid',
      async ({ attempt }, context) => {
        runs.add(attempt)
        await gate.opened
        await context.publish('invoices.wanted', 'an invoice')
      },
      { lease: 1500 },
    ).ready
    await consumer.publish('orders.paid', 0)
    await runs.count(1)
    const relaying = proxy.cutAtRequest((request) => {
      const text = request.toString('latin1')
      return text.includes('{invoices.wanted}:') && text.includes('an invoice')
    })
    await rollBackAfter(async () => {
      gate.open()
      await relaying
      await proxy.down()
    })
    await proxy.up()
    await runs.count(2)
    await consumer.close()
    expect((await w.bus().topic('invoices.wanted').stats()).unclaimed).to.equal(1)
  })

  it('to before there was anything heals too: topic, group and sessions are made again', async () => {
    await w.redis.flushall()
    await w.redis.save()
    const bus = w.bus()
    const received = new Received<number>()
    await bus.consume('orders.paid', ({ body }) => received.add(body as number), { lease: 1500 }).ready
    await bus.publish('orders.paid', 1)
    await received.count(1)
    await w.server.kill()
    await w.server.restart()
    // The group is made by whoever of the two comes first; the message is there for it in either case.
    await bus.publish('orders.paid', 2)
    await received.first((n) => n === 2)
    await bus.close()
    await namespaceIsClean(w.redis, w.namespace)
  })
})
