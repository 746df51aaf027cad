import type { Events } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { equipped, extra, plugin } from './equipped.js'
import { refusal } from './refusal.js'

type Seen = { [E in keyof Events]: Received<Events[E]> }

const names = ['published', 'subscribed', 'fetched', 'settled', 'recovered', 'redriven', 'connection'] as const

function observer() {
  const seen: Seen = {
    published: new Received(),
    subscribed: new Received(),
    fetched: new Received(),
    settled: new Received(),
    recovered: new Received(),
    redriven: new Received(),
    connection: new Received(),
  }
  const observing = plugin('observer', (scope) => {
    const see = <E extends keyof Events>(event: E) => scope.observe(event, (payload) => seen[event].add(payload))
    for (const name of names) see(name)
  })
  return { seen, observing }
}

describe('observers', () => {
  const world = makeWorld()

  it('see what was published, with its receipts and times', async () => {
    const { seen, observing } = observer()
    const bus = equipped(world, [observing])
    const before = Date.now()
    const receipts = await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }])
    const [event] = await seen.published.count(1)
    expect(event).to.deep.include({ topic: 'orders.paid', count: 2, receipts, via: 'publish' })
    expect(event).to.not.have.property('error')
    expect(event?.startMs).to.be.at.least(before - 1)
    expect(event?.endMs).to.be.at.least(event?.startMs as number)
  })

  it('see a publish that was refused, with its error', async () => {
    const { seen, observing } = observer()
    const refuser = plugin('refuser', (scope) =>
      scope.guard({
        at: 'publish',
        name: 'no',
        keys: () => [],
        args: () => [],
        lua: "return { check = function() return reject('closed') end }",
      }),
    )
    const bus = equipped(world, [observing, refuser])
    const error = await refusal(() => bus.publish('orders.paid', 1))
    const [event] = await seen.published.count(1)
    expect(event?.receipts).to.deep.equal([])
    expect(event?.error).to.equal(error)
  })

  it('see what is consumed, before anything comes; of a pattern each topic', async () => {
    const { seen, observing } = observer()
    const bus = equipped(world, [observing])
    await bus.consume('orders.paid', () => {}, { group: 'ledger' }).ready
    expect(seen.subscribed.items).to.deep.equal([{ topic: 'orders.paid', group: 'ledger' }])
    await bus.consume('refunds.*', () => {}).ready
    await bus.publish('refunds.wanted', 1)
    expect((await seen.subscribed.count(2))[1]).to.deep.equal({ topic: 'refunds.wanted', group: 'test' })
  })

  it('see what a handler stages, to go out with its settle', async () => {
    const { seen, observing } = observer()
    const bus = equipped(world, [observing])
    await bus.consume('orders.paid', (_message, ctx) => ctx.publish('invoices', 1)).ready
    await bus.publish('orders.paid', 1)
    const staged = await seen.published.first(({ via }) => via === 'settle')
    expect(staged).to.include({ topic: 'invoices', count: 1 })
    expect(staged).to.not.have.property('error')
  })

  it('see what was fetched, and each end: done, retried, dead', async () => {
    const { seen, observing } = observer()
    const bus = equipped(world, [observing])
    await bus.consume(
      'orders.paid',
      ({ body }) => {
        if (body === 'good') return 'fine'
        throw new Error('bad')
      },
      { group: 'ledger', retry: { attempts: 2, delay: 1, jitter: 0 } },
    ).ready
    await bus.publish('orders.paid', 'good')
    await bus.publish('orders.paid', 'bad')
    const dead = await seen.settled.first(({ outcome }) => outcome.kind === 'dead')
    expect(dead.outcome).to.deep.include({ kind: 'dead', reason: 'attempts' })
    expect(dead.delivery.message).to.include({ body: 'bad', attempt: 2 })
    const retried = await seen.settled.first(({ outcome }) => outcome.kind === 'retry')
    expect(retried.outcome).to.deep.include({ counted: true })
    expect((retried.outcome as { error: Error }).error.message).to.equal('bad')
    const done = await seen.settled.first(({ outcome }) => outcome.kind === 'done')
    expect(done.outcome).to.deep.equal({ kind: 'done', result: 'fine' })
    expect(done.delivery).to.deep.include({ group: 'ledger' })
    expect(done.runMs).to.be.within(0, 10_000)
    expect(done.sinceMs).to.be.within(0, 10_000)
    expect(done.settleEndMs).to.be.at.least(done.settleStartMs)
    expect(done).to.not.have.property('refused')
    const fetched = seen.fetched.items.reduce((sum, { count }) => sum + count, 0)
    expect(fetched).to.equal(3)
    expect(seen.fetched.items[0]).to.include({ topic: 'orders.paid', group: 'ledger' })
  })

  it('see a redrive', async () => {
    const { seen, observing } = observer()
    const bus = equipped(world, [observing])
    const subscription = bus.consume(
      'orders.paid',
      () => {
        throw new Error('bad')
      },
      { group: 'ledger', retry: false },
    )
    await subscription.ready
    await bus.publish('orders.paid', 1)
    await seen.settled.first(({ outcome }) => outcome.kind === 'dead')
    await subscription.close()
    await bus.topic('orders.paid').group('ledger').redrive('all')
    expect(await seen.redriven.count(1)).to.deep.equal([{ topic: 'orders.paid', group: 'ledger', count: 1 }])
  })

  it('see a recovery', async () => {
    const { seen, observing } = observer()
    const proxy = await world.proxy()
    const lost = equipped(world, [], { redis: proxy.url })
    const held = new Received<unknown>()
    const short = { group: 'ledger', lease: 300, concurrency: 1 }
    // Before it is consumed, so that it is fetched: of what is pushed it would first have to be heard that it runs.
    await lost.publish('orders.paid', 1)
    await lost.consume(
      'orders.paid',
      async ({ body }) => {
        held.add(body)
        await new Promise(() => {})
      },
      short,
    ).ready
    await held.count(1)
    proxy.hang()
    const bus = equipped(world, [observing])
    const handled = new Received<unknown>()
    await bus.consume('orders.paid', ({ redelivered }) => handled.add(redelivered), short).ready
    expect(await handled.count(1)).to.deep.equal([true])
    const recovered = await seen.recovered.first(({ ranges }) => ranges > 0)
    expect(recovered).to.include({ topic: 'orders.paid', group: 'ledger', crashed: 1, dead: 0 })
    await lost.close({ timeout: 1 })
  })

  it('see the connection come, go and come back', async () => {
    const { seen, observing } = observer()
    const proxy = await world.proxy()
    const bus = equipped(world, [observing], { redis: proxy.url })
    await bus.ready()
    await seen.connection.first(({ state }) => state === 'up')
    proxy.cut()
    await seen.connection.until(
      (events) =>
        events
          .map(({ state }) => state)
          .join(' ')
          .startsWith('up down up'),
      'up down up',
    )
  })

  it('break nothing by throwing', async () => {
    const thrower = plugin('thrower', (scope) => {
      for (const name of names)
        scope.observe(name, () => {
          throw new Error(`thrown at ${name}`)
        })
    })
    const bus = equipped(world, [thrower])
    const handled = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => handled.add(body), { group: 'ledger' }).ready
    const receipt = await bus.publish('orders.paid', 1, extra({}))
    expect(receipt.status).to.equal('accepted')
    expect(await handled.count(1)).to.deep.equal([1])
    for (const event of ['published', 'fetched', 'settled', 'connection'])
      await world.log.first((line) => line.plugin === 'thrower' && line.event === event)
  })
})
