import type { PublishEntry } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

/** Time itself is what these wait for. */
const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

conformance('priorities, positions and expiry', (world) => {
  /** Publishes while nobody takes anything, then lets one handler at a time run all of it: the bodies in that order. */
  const orderOf = async (entries: readonly PublishEntry<number>[], count = entries.length) => {
    const bus = world.bus()
    const received = new Received<number>()
    for (const { body, ...options } of entries) await bus.publish('orders.paid', body, options)
    const subscription = bus.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 })
    await received.count(count)
    await subscription.close()
    await bus.close()
    return received.items
  }

  it('handle a higher priority first, and equal ones in the order of their publishes', async () => {
    const order = await orderOf([
      { body: 1 },
      { body: 2, priority: -1 },
      { body: 3, priority: 5 },
      { body: 4 },
      { body: 5, priority: Number.MAX_SAFE_INTEGER },
      { body: 6, priority: 5 },
      { body: 7, priority: -1 },
    ])
    expect(order).to.deep.equal([5, 3, 6, 1, 4, 2, 7])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('handle any mixture of priorities and positions as a stable sort would', async () => {
    const entry = fc.record({
      priority: fc.constantFrom(0, 0, 0, 1, -1, 7),
      position: fc.constantFrom('back' as const, 'back' as const, 'front' as const),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 25 }), async (entries) => {
        const expected: { body: number; priority: number }[] = []
        for (const [body, { priority, position }] of entries.entries()) {
          const of = { body, priority }
          if (position === 'front') expected.unshift(of)
          else expected.push(of)
        }
        expected.sort((a, b) => b.priority - a.priority)
        const order = await orderOf(entries.map((each, body) => ({ body, ...each })))
        expect(order).to.deep.equal(expected.map(({ body }) => body))
      }),
      { numRuns: 15 },
    )
  })

  it('keep a priority through failures, dead letters and a redrive', async () => {
    const bus = world.bus()
    const dead = new Received<string>()
    const first = bus.consume('orders.paid', () => Promise.reject(new Error('no')), { retry: false })
    await first.ready
    const ids: string[] = []
    for (const priority of [0, 3, -2]) ids.push((await bus.publish('orders.paid', priority, { priority })).id)
    const group = bus.topic('orders.paid').group('test')
    while ((await group.deadLetters({ limit: 10 })).items.length < 3) await bus.topic('orders.paid').stats()
    await first.close()
    expect(await group.redrive('all')).to.equal(3)
    await bus.consume('orders.paid', ({ body }) => dead.add(String(body)), { concurrency: 1 }).ready
    expect(await dead.count(3)).to.deep.equal(['3', '0', '-2'])
  })

  it('put a delayed message to the front when it is due, if so asked', async () => {
    const bus = world.bus()
    const received = new Received<number>()
    const gate = new Gate()
    const handler = async ({ body }: { body: unknown }) => {
      received.add(body as number)
      if (body === 0) await gate.opened
    }
    // One handler at a time and no lookahead: what is not running waits in Redis.
    await bus.consume('orders.paid', handler, { concurrency: 1, lookahead: 0 }).ready
    await bus.publish('orders.paid', 0)
    await received.count(1)
    await bus.publish('orders.paid', 1)
    await bus.publish('orders.paid', 2, { delay: 1, position: 'front' })
    await bus.publish('orders.paid', 3, { delay: 1 })
    await passed(5)
    gate.open()
    expect(await received.count(4)).to.deep.equal([0, 2, 1, 3])
  })

  describe('a message that expires', () => {
    it('is handled if there is time, and then leaves nothing', async () => {
      const bus = world.bus()
      const received = new Received<unknown>()
      const subscription = bus.consume('orders.paid', ({ body }) => received.add(body))
      await subscription.ready
      await bus.publishBatch('orders.paid', [{ body: 1, expiresIn: '1h' }, { body: 2 }])
      expect(await received.count(2)).to.deep.equal([1, 2])
      await subscription.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('is not handled after its time but a dead letter with that reason, and those beside it are', async () => {
      const bus = world.bus()
      const received = new Received<unknown>()
      await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2, expiresIn: 1 }, { body: 3, expiresIn: '1h' }])
      await passed(5)
      const subscription = bus.consume('orders.paid', ({ body }) => received.add(body))
      expect(await received.count(2)).to.deep.equal([1, 3])
      await subscription.close()
      const { items } = await bus.topic('orders.paid').group('test').deadLetters({ limit: 10 })
      expect(items.map(({ body, reason, attempts }) => [body, reason, attempts])).to.deep.equal([[2, 'expired', 0]])
    })

    it('holds nobody up, however many there are', async () => {
      const bus = world.bus()
      const received = new Received<unknown>()
      const entries = Array.from({ length: 1000 }, (_, body) => ({ body, expiresIn: 1 }))
      for (let i = 0; i < 3; i++) await bus.publishBatch('orders.paid', entries)
      await bus.publish('orders.paid', 'last')
      await passed(5)
      const subscription = bus.consume('orders.paid', ({ body }) => received.add(body), { concurrency: 5, lease: '1h' })
      expect(await received.count(1, 5_000)).to.deep.equal(['last'])
      await subscription.close()
      expect((await bus.topic('orders.paid').stats()).groups.test).to.include({ ready: 0, inFlight: 0, dead: 3000 })
    })

    it('that a consumer holds, and that does not come to run in time, is not handled', async () => {
      const bus = world.bus()
      const received = new Received<unknown>()
      const gate = new Gate()
      const handler = async ({ body }: { body: unknown }) => {
        received.add(body)
        if (body === 0) await gate.opened
      }
      const subscription = bus.consume('orders.paid', handler, { concurrency: 1, lookahead: '1h' })
      await subscription.ready
      // A fast handler is given many at once.
      for (const body of [-3, -2, -1]) await bus.publish('orders.paid', body)
      await received.count(3)
      await bus.publishBatch('orders.paid', [{ body: 0 }, { body: 1, expiresIn: 20 }, { body: 2 }])
      await received.count(4)
      await passed(40)
      gate.open()
      expect((await received.count(5)).slice(3)).to.deep.equal([0, 2])
      await subscription.close()
      const { items } = await bus.topic('orders.paid').group('test').deadLetters({ limit: 10 })
      expect(items.map(({ body, reason }) => [body, reason])).to.deep.equal([[1, 'expired']])
    })
  })
})
