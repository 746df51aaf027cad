import type { Receipt } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import type { LogLine } from '../support/log-lines.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { equipped, extra, plugin } from './equipped.js'
import { atMost, debounce, failing, once } from './guard-plugins.js'
import { refusal } from './refusal.js'

describe('a publish guard', () => {
  const world = makeWorld()
  const stored = () => world.redis.hlen(`${world.namespace}:{orders.paid}:pending`)

  it('that passes lets the message in and records it', async () => {
    const bus = equipped(world, [atMost(2)])
    expect((await bus.publish('orders.paid', 1)).status).to.equal('accepted')
    expect(await world.redis.get(`${world.namespace}:{orders.paid}:x:at-most:accepted`)).to.equal('1')
  })

  it('is given its arguments as they are: texts, numbers as text, bytes', async () => {
    const given: (string | number | Uint8Array)[][] = []
    const echo = plugin('echo', (scope) =>
      scope.guard({
        at: 'publish',
        name: 'all',
        keys: () => ['told'],
        args: ({ body }) => given[body as number],
        lua: `
          return {
            apply = function(m, args)
              redis.call('RPUSH', m.keys[1], #args, unpack(args))
            end,
          }`,
      }),
    )
    const arg = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.uint8Array(),
    )
    const bus = equipped(world, [echo])
    await bus.ready()
    let n = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(arg, { maxLength: 5 }), { minLength: 1, maxLength: 5 }), async (calls) => {
        const from = given.length
        given.push(...calls)
        await bus.publishBatch(
          'orders.paid',
          calls.map((_, i) => ({ body: from + i })),
        )
        const told = await world.redis.lrangeBuffer(`${world.namespace}:{orders.paid}:x:echo:told`, n, -1)
        n += told.length
        const bytes = (value: string | number | Uint8Array): Buffer =>
          typeof value === 'object' ? Buffer.from(value) : Buffer.from(String(value))
        expect(told).to.deep.equal(calls.flatMap((args) => [args.length, ...args].map(bytes)))
      }),
      { numRuns: 50 },
    )
  })

  it('that rejects says why, and when to come again; nothing is written', async () => {
    const bus = equipped(world, [atMost(0)])
    const error = await refusal(() => bus.publish('orders.paid', 1))
    expect(error.code).to.equal('PUBLISH_REJECTED')
    expect(error.details).to.deep.equal({ guard: 'at-most/count', reason: 'full', retryMs: 250 })
    expect(error.message).to.match(/full/)
    expect(await stored()).to.equal(0)
    expect(await world.redis.exists(`${world.namespace}:{orders.paid}:x:at-most:accepted`)).to.equal(0)
  })

  it('that rejects one message of a batch refuses the batch whole', async () => {
    const bus = equipped(world, [atMost(2)])
    const error = await refusal(() => bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }, { body: 3 }]))
    expect(error.code).to.equal('PUBLISH_REJECTED')
    expect(await stored()).to.equal(0)
    const receipts = await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }])
    expect(receipts.map(({ status }) => status)).to.deep.equal(['accepted', 'accepted'])
  })

  it('that finds a duplicate leaves that message out and says of which it is one', async () => {
    const bus = equipped(world, [once()])
    const bodies = new Received<unknown>()
    const first = await bus.publish('orders.paid', 'first', extra({ once: 'a' }))
    const second = await bus.publish('orders.paid', 'second', extra({ once: 'a' }))
    expect(second).to.deep.include({ status: 'duplicate', duplicateOf: first.id })
    await bus.publish('orders.paid', 'third', extra({ once: 'b' }))
    await bus.consume('orders.paid', ({ body }) => bodies.add(body)).ready
    expect(await bodies.count(2)).to.have.members(['first', 'third'])
    await bus.close()
    expect(bodies.items).to.have.length(2)
  })

  it('lets two messages of one unit see each other', async () => {
    const bus = equipped(world, [once()])
    const receipts = await bus.publishBatch('orders.paid', [
      { body: 1, ...extra({ once: 'a' }) },
      { body: 2 },
      { body: 3, ...extra({ once: 'a' }) },
      { body: 4, ...extra({ once: 'b' }) },
    ])
    expect(receipts.map(({ status }) => status)).to.deep.equal(['accepted', 'accepted', 'duplicate', 'accepted'])
    expect((receipts[2] as Receipt & { duplicateOf: string }).duplicateOf).to.equal(receipts[0]?.id)
    expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(3)
  })

  it("that rejects one caller's unit touches no other in one group commit", async () => {
    const bus = equipped(world, [atMost(25)])
    await bus.publish('orders.paid', 0)
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => bus.publish('orders.paid', i + 1)))
    const accepted = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(accepted).to.have.length(24)
    expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(25)
    const bodies = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => bodies.add(body), { concurrency: 1 }).ready
    expect(await bodies.count(25)).to.deep.equal([
      0,
      ...outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : [])),
    ])
  })

  it('that defers makes the message wait', async () => {
    const bus = equipped(world, [debounce(3_600_000)])
    await bus.publish('orders.paid', 1, extra({ latest: 'a' }))
    expect(await bus.topic('orders.paid').stats()).to.include({ scheduled: 1, unclaimed: 0 })
  })

  it('that replaces takes the waiting message out and puts its own in', async () => {
    const bus = equipped(world, [debounce(60)])
    const bodies = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => bodies.add(body)).ready
    for (const n of [1, 2, 3]) await bus.publish('orders.paid', `a${n}`, extra({ latest: 'a' }))
    expect((await bus.topic('orders.paid').stats()).scheduled).to.equal(1)
    await bus.publish('orders.paid', 'b1', extra({ latest: 'b' }))
    expect(await bodies.count(2)).to.deep.equal(['a3', 'b1'])
    await bus.close()
    expect(bodies.items).to.deep.equal(['a3', 'b1'])
  })

  it('whose apply fails is reported, and the accepted message stands', async () => {
    const bus = equipped(world, [failing()])
    const errors = new Received<Error>()
    bus.on('error', errors.add)
    const bodies = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => bodies.add(body)).ready
    const receipt = await bus.publish('orders.paid', 1, extra({ fail: 'apply' }))
    expect(receipt.status).to.equal('accepted')
    expect(await bodies.count(1)).to.deep.equal([1])
    const warned = (line: LogLine) => line.level >= 40 && JSON.stringify(line).includes('failing/faulty')
    await world.log.first(warned, 'a warning')
  })

  it('whose check fails rejects, naming the guard', async () => {
    const bus = equipped(world, [failing()])
    const error = await refusal(() => bus.publish('orders.paid', 1, extra({ fail: 'check' })))
    expect(error.code).to.equal('PUBLISH_REJECTED')
    expect(error.details).to.include({ guard: 'failing/faulty', reason: 'the guard failed' })
  })

  it('costs nothing, and says nothing, for messages without arguments', async () => {
    const bus = equipped(world, [failing(), once()])
    expect((await bus.publish('orders.paid', 1)).status).to.equal('accepted')
    expect(await world.redis.keys(`${world.namespace}:{orders.paid}:x:*`)).to.deep.equal([])
  })

  it('meets what handlers publish as well, and cannot refuse it', async () => {
    const bus = equipped(world, [once(), atMost(1)])
    const invoices = new Received<unknown>()
    await bus.consume('invoices', ({ body }) => invoices.add(body)).ready
    await bus.consume('orders.paid', async (_message, ctx) => {
      await ctx.publish('invoices', 'one', extra({ once: 'a' }))
      await ctx.publish('invoices', 'the same', extra({ once: 'a' }))
      await ctx.publish('invoices', 'another', extra({ once: 'b' }))
    }).ready
    await bus.publish('orders.paid', 1)
    expect(await invoices.count(2)).to.deep.equal(['one', 'another'])
  })

  it('runs beside buses that do not have it', async () => {
    const guarded = equipped(world, [atMost(1)])
    const bare = world.bus()
    await guarded.publish('orders.paid', 1)
    expect((await refusal(() => guarded.publish('orders.paid', 2))).code).to.equal('PUBLISH_REJECTED')
    expect((await bare.publish('orders.paid', 3)).status).to.equal('accepted')
  })

  it('is told what it decides about', async () => {
    const telling = plugin('telling', (scope) =>
      scope.guard({
        at: 'publish',
        name: 'tell',
        keys: () => ['told'],
        args: ({ body }) => [String(body)],
        lua: `
          return {
            apply = function(m, args)
              redis.call('RPUSH', m.keys[1], cjson.encode({ args[1], m.index, m.key or '-', m.topic, m.id, type(m.now) }))
            end,
          }`,
      }),
    )
    const bus = equipped(world, [telling])
    const receipts = await bus.publishBatch('orders.paid', [{ body: 'a' }, { body: 'b', key: 'k' }])
    const told = await world.redis.lrange(`${world.namespace}:{orders.paid}:x:telling:told`, 0, -1)
    expect(told.map((line) => JSON.parse(line))).to.deep.equal([
      ['a', 0, '-', 'orders.paid', receipts[0]?.id, 'number'],
      ['b', 1, 'k', 'orders.paid', receipts[1]?.id, 'number'],
    ])
  })
})
