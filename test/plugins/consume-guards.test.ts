import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world as makeWorld, namespaceIsClean } from '../support/world.js'
import { equipped, extra, plugin } from './equipped.js'

/** A fetch guard that reads how many may be taken from `allowed`, and counts what was. */
const valve = () =>
  plugin('valve', (scope) => {
    scope.option('consume', 'valve', () => undefined)
    scope.guard({
      at: 'fetch',
      name: 'open',
      keys: (_topic, group) => [`${group}:allowed`, `${group}:taken`, `${group}:largest`],
      args: ({ options }) => (options.valve === undefined ? undefined : [String(options.valve)]),
      lua: `
        return {
          check = function(f, args)
            local allowed = tonumber(redis.call('GET', f.keys[1]) or args[1])
            return allowed, 40
          end,
          apply = function(f, args, taken)
            local n = tonumber(redis.call('GET', f.keys[3]) or '0')
            redis.call('INCR', f.keys[2])
            if f.want > n then redis.call('SET', f.keys[3], f.want) end
          end,
        }`,
    })
  })

/** Remembers what a group has done, and settles it without a run when it comes again. */
const inbox = () =>
  plugin('inbox', (scope) => {
    const keys = (_topic: string, group: string) => [`${group}:done`]
    scope.guard({
      at: 'fetch',
      name: 'seen',
      keys,
      args: () => [],
      lua: "return { skip = function(f, id) return redis.call('SISMEMBER', f.keys[1], id) == 1 end }",
    })
    scope.guard({
      at: 'settle',
      name: 'remember',
      keys,
      args: (_delivery, outcome) => (outcome.kind === 'done' ? [] : undefined),
      lua: "return { apply = function(s) redis.call('SADD', s.keys[1], s.id) end }",
    })
  })

describe('a fetch guard', () => {
  const world = makeWorld()
  const key = (name: string) => `${world.namespace}:{orders.paid}:x:valve:test:${name}`

  it('says how many may be taken, and is asked again when it said', async () => {
    const bus = equipped(world, [valve()])
    await world.redis.set(key('allowed'), 0)
    const bodies = new Received<unknown>()
    const handler = ({ body }: { body: unknown }) => bodies.add(body)
    await bus.consume('orders.paid', handler, extra({ valve: 0 })).ready
    for (const n of [1, 2, 3]) await bus.publish('orders.paid', n)
    expect((await bus.topic('orders.paid').stats()).groups.test).to.include({ ready: 3, inFlight: 0 })
    expect(bodies.items).to.deep.equal([])
    await world.redis.set(key('allowed'), 1)
    expect(await bodies.count(3)).to.deep.equal([1, 2, 3])
  })

  it('that fails lets nothing through until it works again, and is reported', async () => {
    const bus = equipped(world, [valve()])
    await world.redis.rpush(key('allowed'), 'not a string')
    const bodies = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => bodies.add(body), extra({ valve: 0 })).ready
    await bus.publish('orders.paid', 1)
    await world.log.first(({ msg, ...rest }) => `${msg}${JSON.stringify(rest)}`.includes('valve/open'))
    expect(bodies.items).to.deep.equal([])
    await world.redis.del(key('allowed'))
    await world.redis.set(key('allowed'), 10)
    expect(await bodies.count(1)).to.deep.equal([1])
  })

  it('is not asked for subscriptions without arguments', async () => {
    const bus = equipped(world, [valve()])
    await world.redis.set(key('allowed'), 0)
    const bodies = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => bodies.add(body)).ready
    await bus.publish('orders.paid', 1)
    expect(await bodies.count(1)).to.deep.equal([1])
    expect(await world.redis.exists(key('taken'))).to.equal(0)
  })

  it('skips: the message is settled without a run', async () => {
    const bus = equipped(world, [inbox()])
    await world.redis.sadd(`${world.namespace}:{orders.paid}:x:inbox:test:done`, 'order-1', 'order-3')
    const bodies = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => bodies.add(body))
    await subscription.ready
    for (const n of [1, 2, 3, 4]) await bus.publish('orders.paid', n, { id: `order-${n}` })
    expect(await bodies.count(2)).to.deep.equal([2, 4])
    await subscription.close()
    expect((await bus.topic('orders.paid').stats()).groups.test).to.include({ ready: 0, inFlight: 0 })
  })

  it('skips within a batch', async () => {
    const bus = equipped(world, [inbox()])
    const receipts = await bus.publishBatch(
      'orders.paid',
      [1, 2, 3, 4, 5].map((body) => ({ body })),
    )
    const [first, , third] = receipts.map(({ id }) => id) as [string, string, string]
    await world.redis.sadd(`${world.namespace}:{orders.paid}:x:inbox:test:done`, first, third)
    const bodies = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => bodies.add(body))
    await subscription.ready
    expect(await bodies.count(3)).to.deep.equal([2, 4, 5])
    await subscription.close()
    await bus.close()
  })
})

describe('a settle guard', () => {
  const world = makeWorld()

  it('writes with the outcome, for its own consumer', async () => {
    const bus = equipped(world, [inbox()])
    const bodies = new Received<unknown>()
    const consume = () =>
      bus.consume(
        'orders.paid',
        ({ body, attempt }) => {
          bodies.add(`${body} ${attempt}`)
          if (body === 'bad' && attempt === 1) throw new Error('not yet')
        },
        { retry: { delay: 1, jitter: 0 } },
      )
    const subscription = consume()
    await subscription.ready
    await bus.publish('orders.paid', 'good', { id: 'order-1' })
    await bus.publish('orders.paid', 'bad', { id: 'order-2' })
    await bodies.count(3)
    await subscription.close()
    const done = await world.redis.smembers(`${world.namespace}:{orders.paid}:x:inbox:test:done`)
    expect(done.sort()).to.deep.equal(['order-1', 'order-2'])
    expect(bodies.items).to.have.members(['good 1', 'bad 1', 'bad 2'])
    await bus.publish('orders.paid', 'good again', { id: 'order-1' })
    await bus.publish('orders.paid', 'new', { id: 'order-3' })
    const again = consume()
    await bodies.first((body) => body === 'new 1')
    await again.close()
    expect(bodies.items).to.not.include('good again 1')
  })

  it('is told how it ended, and takes arguments from a middleware', async () => {
    const noting = plugin('noting', (scope) => {
      scope.consume('handle', async (delivery, next) => {
        if (delivery.message.body === 'noted') delivery.settle.set('note', ['from the middleware'])
        return next()
      })
      scope.guard({
        at: 'settle',
        name: 'note',
        keys: (_topic, group) => [`${group}:notes`],
        args: (_delivery, outcome) => [outcome.kind],
        lua: "return { apply = function(s, args) redis.call('HSET', s.keys[1], s.id, s.outcome .. ' ' .. args[1]) end }",
      })
    })
    const bus = equipped(world, [noting])
    const ended = new Received<unknown>()
    const subscription = bus.consume(
      'orders.paid',
      ({ body }) => {
        ended.add(body)
        if (body === 'bad') throw new Error('bad')
      },
      { group: 'ledger', retry: false },
    )
    await subscription.ready
    for (const id of ['good', 'bad', 'noted']) await bus.publish('orders.paid', id, { id })
    await ended.count(3)
    await subscription.close()
    expect(await world.redis.hgetall(`${world.namespace}:{orders.paid}:x:noting:ledger:notes`)).to.deep.equal({
      good: 'done done',
      bad: 'dead dead',
      noted: 'done from the middleware',
    })
  })

  it('that fails changes no outcome, and is reported', async () => {
    const faulty = plugin('faulty', (scope) =>
      scope.guard({
        at: 'settle',
        name: 'broken',
        keys: () => [],
        args: () => [],
        lua: "return { apply = function() error('broken apply') end }",
      }),
    )
    const bus = equipped(world, [faulty])
    const ended = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => ended.add(body))
    await subscription.ready
    await bus.publish('orders.paid', 1)
    await ended.count(1)
    await subscription.close()
    await world.log.first(({ msg, ...rest }) => `${msg}${JSON.stringify(rest)}`.includes('faulty/broken'))
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
    expect(ended.items).to.deep.equal([1])
  })

  it('whose arguments fail is left out, and the message is settled', async () => {
    const faulty = plugin('faulty', (scope) =>
      scope.guard({
        at: 'settle',
        name: 'argless',
        keys: () => [],
        args: () => {
          throw new Error('no arguments')
        },
        lua: 'return { apply = function() end }',
      }),
    )
    const bus = equipped(world, [faulty])
    const ended = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ attempt }) => ended.add(attempt))
    await subscription.ready
    await bus.publish('orders.paid', 1)
    await ended.count(1)
    await subscription.close()
    expect((await bus.topic('orders.paid').stats()).groups.test).to.include({ ready: 0, retrying: 0, dead: 0 })
    expect(ended.items).to.deep.equal([1])
  })
})
