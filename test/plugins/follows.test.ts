/** What follows a message and not a client: `owns` and `reportTo`, honoured wherever and by whomever it ends. */
import type { Report } from '@busway/bus'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { equipped, extra, plugin } from './equipped.js'
import { debounce } from './guard-plugins.js'

/** A lock per name, held by the message until it ends. */
const locks = () =>
  plugin('locks', (scope) => {
    scope.option('publish', 'lock', (value) => (typeof value === 'string' ? undefined : 'a string'))
    scope.publish('enrich', async (batch, next) => {
      for (const message of batch.messages) {
        if (message.options.lock !== undefined) message.owns = [`lock:${message.options.lock}`]
      }
      return next()
    })
    scope.guard({
      at: 'publish',
      name: 'lock',
      keys: () => ['lock:'],
      args: ({ options }) => (options.lock === undefined ? undefined : [String(options.lock)]),
      lua: `
        return {
          check = function(m, args)
            local holder = redis.call('GET', m.keys[1] .. args[1])
            if holder then return duplicate(holder) end
          end,
          apply = function(m, args) redis.call('SET', m.keys[1] .. args[1], m.id) end,
        }`,
    })
  })

const reporting = () =>
  plugin('reporting', (scope) => {
    scope.option('publish', 'tell', (value) => (typeof value === 'string' ? undefined : 'a topic'))
    scope.publish('enrich', async (batch, next) => {
      for (const message of batch.messages) {
        if (message.options.tell !== undefined) message.reportTo = { topic: String(message.options.tell), key: 'k' }
      }
      return next()
    })
  })

describe('what a message owns', () => {
  const world = makeWorld()
  const lock = (name: string) => `${world.namespace}:{orders.paid}:x:locks:lock:${name}`
  const freed = (name: string) =>
    eventually(world, `lock ${name} to be free`, async () =>
      (await world.redis.exists(lock(name))) === 0 ? true : undefined,
    )

  it('goes with its settle, by a bus that does not know the plugin', async () => {
    const bus = equipped(world, [locks()])
    const { id } = await bus.publish('orders.paid', 1, extra({ lock: 'a' }))
    expect(await world.redis.get(lock('a'))).to.equal(id)
    expect(await bus.publish('orders.paid', 2, extra({ lock: 'a' }))).to.include({
      status: 'duplicate',
      duplicateOf: id,
    })
    await world.bus().consume('orders.paid', () => {}).ready
    await freed('a')
    expect((await bus.publish('orders.paid', 3, extra({ lock: 'a' }))).status).to.equal('accepted')
    await freed('a')
  })

  it('stays until every group has ended it', async () => {
    const bus = equipped(world, [locks()])
    const plain = world.bus()
    const slow = plain.consume('orders.paid', () => {}, { group: 'slow' })
    await slow.ready
    await slow.close()
    const done = new Received<unknown>()
    const quick = plain.consume('orders.paid', ({ body }) => done.add(body), { group: 'quick' })
    await quick.ready
    await bus.publish('orders.paid', 1, extra({ lock: 'a' }))
    await done.count(1)
    await quick.close()
    expect(await world.redis.exists(lock('a'))).to.equal(1)
    await plain.consume('orders.paid', () => {}, { group: 'slow' }).ready
    await freed('a')
  })

  it('goes when it is purged while it waits', async () => {
    const bus = equipped(world, [locks()])
    const plain = world.bus()
    const subscription = plain.consume('orders.paid', () => {}, { group: 'ledger' })
    await subscription.ready
    await subscription.close()
    await bus.publish('orders.paid', 1, extra({ lock: 'a' }))
    expect(await plain.topic('orders.paid').group('ledger').purge()).to.equal(1)
    expect(await world.redis.exists(lock('a'))).to.equal(0)
  })

  it('is gone once it is a dead letter, and its purge leaves the next holder alone', async () => {
    const bus = equipped(world, [locks()])
    const plain = world.bus()
    const subscription = plain.consume(
      'orders.paid',
      () => {
        throw new Error('no')
      },
      { group: 'ledger', retry: false },
    )
    await subscription.ready
    await bus.publish('orders.paid', 1, extra({ lock: 'a' }))
    await freed('a')
    await subscription.close()
    const { id } = await bus.publish('orders.paid', 2, extra({ lock: 'a' }))
    const group = plain.topic('orders.paid').group('ledger')
    expect(await group.purge({ state: 'dead' })).to.equal(1)
    expect(await world.redis.get(lock('a'))).to.equal(id)
    await group.purge()
    expect(await world.redis.exists(lock('a'))).to.equal(0)
  })

  it('is not taken from a message that holds it by now', async () => {
    const bus = equipped(world, [locks()])
    await bus.publish('orders.paid', 1, extra({ lock: 'a' }))
    await world.redis.set(lock('a'), 'another')
    const done = new Received<unknown>()
    const subscription = world.bus().consume('orders.paid', ({ body }) => done.add(body))
    await subscription.ready
    await done.count(1)
    await subscription.close()
    expect(await world.redis.get(lock('a'))).to.equal('another')
  })
})

describe('a report', () => {
  const world = makeWorld()

  it('tells the topic how each group ended the message, by a bus that does not know the plugin', async () => {
    const bus = equipped(world, [reporting()])
    const plain = world.bus()
    const reports = new Received<{ report: Report; key: string | undefined }>()
    await plain.consume('reports', ({ body, key }) => reports.add({ report: body as Report, key })).ready
    await plain.consume('orders.paid', ({ body }) => ({ total: body }), { group: 'ledger' }).ready
    await plain.consume(
      'orders.paid',
      () => {
        throw new TypeError('no stock')
      },
      { group: 'stock', retry: false },
    ).ready
    const { id } = await bus.publish('orders.paid', 7, extra({ tell: 'reports' }))
    await reports.count(2)
    const of = (group: string) => reports.items.find(({ report }) => report.group === group)
    const first = reports.items[0]?.report.group
    expect(of('ledger')).to.deep.equal({
      report: { id, group: 'ledger', outcome: 'done', result: { total: 7 }, last: first !== 'ledger' },
      key: 'k',
    })
    expect(of('stock')?.report.last).to.equal(first !== 'stock')
    const dead = of('stock')
    expect(dead?.report).to.include({ id, group: 'stock', outcome: 'dead' })
    expect(dead?.report.error).to.include({ name: 'TypeError', message: 'no stock' })
  })

  it('comes once, however often the message is retried', async () => {
    const bus = equipped(world, [reporting()])
    const plain = world.bus()
    const reports = new Received<Report>()
    await plain.consume('reports', ({ body }) => reports.add(body as Report)).ready
    await plain.consume(
      'orders.paid',
      ({ attempt }) => {
        if (attempt < 3) throw new Error('not yet')
      },
      { group: 'ledger', retry: { delay: 1, jitter: 0 } },
    ).ready
    await bus.publish('orders.paid', 7, extra({ tell: 'reports' }))
    await reports.count(1)
    await plain.close()
    expect(reports.items.map(({ outcome }) => outcome)).to.deep.equal(['done'])
  })

  it('may go to the topic of the message itself', async () => {
    const bus = equipped(world, [reporting()])
    const seen = new Received<unknown>()
    await bus.consume('orders.paid', ({ body, type }) => seen.add({ body, type }), { group: 'ledger' }).ready
    const { id } = await bus.publish('orders.paid', 7, extra({ tell: 'orders.paid' }))
    const [, second] = await seen.count(2)
    expect(second).to.deep.include({ body: { id, group: 'ledger', outcome: 'done', last: true } })
  })

  it('tells of a message that was purged', async () => {
    const bus = equipped(world, [reporting()])
    const plain = world.bus()
    const subscription = plain.consume('orders.paid', () => {}, { group: 'ledger' })
    await subscription.ready
    await subscription.close()
    const { id } = await bus.publish('orders.paid', 7, extra({ tell: 'reports' }))
    await plain.topic('orders.paid').group('ledger').purge()
    const reports = new Received<Report>()
    await plain.consume('reports', ({ body }) => reports.add(body as Report)).ready
    const [report] = await reports.count(1)
    expect(report).to.include({ id, group: 'ledger', outcome: 'purged' })
  })

  it('tells of a message that was replaced, though nobody consumes its topic who would relay it', async () => {
    const bus = equipped(world, [reporting(), debounce(60_000)])
    const reports = new Received<Report>()
    await world.bus().consume('reports', ({ body }) => reports.add(body as Report)).ready
    const { id } = await bus.publish('orders.paid', 1, extra({ tell: 'reports', latest: 'a' }))
    await bus.publish('orders.paid', 2, extra({ latest: 'a' }))
    expect(await reports.count(1)).to.deep.equal([{ id, outcome: 'replaced', last: true }])
  })
})
