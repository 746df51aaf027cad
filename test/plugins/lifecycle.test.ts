import { type Bus, defineTopics, type Scope, type } from '@busway/bus'
import { expect } from 'chai'
import { Gate, Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { equipped, plugin } from './equipped.js'
import { refusal } from './refusal.js'

describe('the life of plugins', () => {
  const world = makeWorld()

  it('starts them in order before the first fetch, and closes them in reverse after the drain', async () => {
    const order: string[] = []
    const hooks = (name: string) =>
      plugin(name, (scope) => {
        scope.ready(async () => {
          await new Promise((resolve) => setImmediate(resolve))
          order.push(`${name} ready`)
        })
        scope.close(async () => void order.push(`${name} closed`))
      })
    await world.bus().publish('orders.paid', 'waiting')
    const bus = equipped(world, [hooks('a'), hooks('b')])
    const handling = new Received<unknown>()
    const gate = new Gate()
    bus.consume('orders.paid', async ({ body }) => {
      order.push('handler begins')
      handling.add(body)
      await gate.opened
      order.push('handler ends')
    })
    await handling.count(1)
    const closing = bus.close()
    gate.open()
    await closing
    await bus.close()
    expect(order).to.deep.equal(['a ready', 'b ready', 'handler begins', 'handler ends', 'b closed', 'a closed'])
  })

  it('lets them use the bus in their ready, without waiting for themselves', async () => {
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('warm', (scope) =>
        scope.ready(async () => {
          scope.bus.consume('$warm', ({ body }) => seen.add(body), { group: '$warm' })
          await scope.bus.publish('$warm', 'up')
        }),
      ),
    ])
    await bus.ready()
    expect(await seen.count(1)).to.deep.equal(['up'])
  })

  it('makes ready() reject with what a plugin could not do, and fetches nothing', async () => {
    const bus = equipped(world, [
      plugin('broken', (scope) =>
        scope.ready(() => {
          throw new Error('no registry')
        }),
      ),
    ])
    const error = await refusal(() => bus.ready())
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.equal("Plugin 'broken' could not start: no registry")
    expect((error.cause as Error).message).to.equal('no registry')
    expect((await refusal(() => bus.publish('orders.paid', 1))).code).to.equal('CONFIG_INVALID')
  })

  it('closes the others when one fails to close', async () => {
    const closed: string[] = []
    const bus = equipped(world, [
      plugin('a', (scope) => scope.close(() => void closed.push('a'))),
      plugin('b', (scope) =>
        scope.close(() => {
          throw new Error('stuck')
        }),
      ),
    ])
    await bus.ready()
    await bus.close()
    expect(closed).to.deep.equal(['a'])
    await world.log.first((line) => line.plugin === 'b' && line.level === 50)
  })

  it('refuses a missing requirement and a circle at ready(), and a plugin after it', async () => {
    const missing = equipped(world, [plugin('flow', undefined, { requires: ['schedule'] })])
    expect((await refusal(() => missing.ready())).message).to.match(/'flow' requires the plugin 'schedule'/)
    const circle = equipped(world, [
      plugin('a', undefined, { before: ['b'] }),
      plugin('b', undefined, { before: ['a'] }),
    ])
    expect((await refusal(() => circle.ready())).code).to.equal('CONFIG_INVALID')
    const started = equipped(world, [])
    await started.ready()
    expect((await refusal(() => started.use(plugin('late')))).code).to.equal('BUS_STARTED')
  })

  it('adds to the bus, by either way of registering', async () => {
    const counter = (name: string) =>
      plugin(name, () => {
        let n = 0
        return { [name]: { next: () => ++n } }
      })
    type Counter = { next(): number }
    const bus = equipped(world, [counter('a')])
    const used = bus.use(counter('b')) as Bus & { a: Counter; b: Counter }
    expect([used.a.next(), used.a.next(), used.b.next()]).to.deep.equal([1, 2, 1])
    expect((await refusal(() => bus.use(plugin('c', () => ({ consume: 1 }))))).code).to.equal('CONFIG_INVALID')
    expect(bus.inspect().plugins.map(({ name }) => name)).to.deep.equal(['a', 'b'])
    expect(`${bus.inspect()}`).to.match(/service test\n {2}plugins {2}a > b/)
  })

  it('runs scripts of their own on their own keys', async () => {
    let count: ((topic: string, ...args: [number]) => Promise<number>) | undefined
    const bus = equipped(world, [
      plugin('counter', (scope: Scope) => {
        count = scope.script<[number], number>({
          name: 'add',
          keys: () => ['total'],
          lua: "return redis.call('INCRBY', keys[1], args[1])",
        })
      }),
    ])
    expect((await refusal(() => count?.('orders.paid', 1))).message).to.match(/is there from ready on/)
    await bus.ready()
    expect(await count?.('orders.paid', 3)).to.equal(3)
    await world.redis.script('FLUSH')
    expect(await count?.('orders.paid', 4)).to.equal(7)
    expect(await world.redis.get(`${world.namespace}:{orders.paid}:x:counter:total`)).to.equal('7')
  })

  it('runs what only reads while Redis is full, and refuses then what may write', async () => {
    type Run = (topic: string) => Promise<string>
    let read: Run | undefined
    let write: Run | undefined
    const bus = equipped(world, [
      plugin('counter', (scope: Scope) => {
        const keys = () => ['total']
        read = scope.script<[], string>({
          name: 'read',
          keys,
          lua: "return redis.call('GET', keys[1])",
          readOnly: true,
        })
        write = scope.script<[], string>({ name: 'write', keys, lua: "return redis.call('SET', keys[1], 'more')" })
      }),
    ])
    await bus.ready()
    await world.redis.set(`${world.namespace}:{orders.paid}:x:counter:total`, '7')
    await world.redis.config('SET', 'maxmemory', 1)
    try {
      expect(String(await read?.('orders.paid'))).to.equal('7')
      expect((await refusal(() => write?.('orders.paid'))).code).to.equal('REDIS_OUT_OF_MEMORY')
    } finally {
      await world.redis.config('SET', 'maxmemory', 0)
    }
  })

  it('gives them the numbers of several topics', async () => {
    let stats: Scope['stats'] | undefined
    const bus = equipped(world, [
      plugin('metrics', (scope) => {
        stats = (topics) => scope.stats(topics)
      }),
    ])
    await bus.publish('orders.paid', 1)
    await bus.publish('orders.created', 1, { delay: '1h' })
    const all = await stats?.(['orders.paid', 'orders.created'])
    expect(all?.['orders.paid']).to.deep.include({ unclaimed: 1, scheduled: 0 })
    expect(all?.['orders.created']).to.deep.include({ unclaimed: 0, scheduled: 1 })
  })

  it('gives them those of topics that the application does not define, and refuses what is no topic', async () => {
    let stats: Scope['stats'] | undefined
    const bus = equipped(
      world,
      [
        plugin('metrics', (scope) => {
          stats = (topics) => scope.stats(topics)
        }),
      ],
      { topics: defineTopics({ defined: type<number>() }) },
    )
    await world.bus().publish('elsewhere', 1)
    await bus.ready()
    expect((await stats?.(['elsewhere', '$internal']))?.elsewhere).to.include({ unclaimed: 1 })
    expect((await refusal(async () => stats?.(['no topic']))).code).to.equal('INVALID_TOPIC')
  })
})
