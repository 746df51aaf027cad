import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

interface Sent {
  readonly key: string
  readonly n: number
}

conformance('ordering keys', (world) => {
  /** Watches handlers: what started and ended, and that no key is ever run twice at once. */
  const watch = () => {
    const running = new Map<string, number>()
    const faults: string[] = []
    const done = new Received<Sent>()
    const handler =
      (work: (sent: Sent, attempt: number) => unknown = () => undefined) =>
      async (message: { body: unknown; attempt: number }) => {
        const sent = message.body as Sent
        const other = running.get(sent.key)
        if (other !== undefined) faults.push(`${sent.key}: ${sent.n} started while ${other} ran`)
        running.set(sent.key, sent.n)
        try {
          await new Promise((resolve) => setImmediate(resolve))
          await work(sent, message.attempt)
        } finally {
          running.delete(sent.key)
        }
        done.add(sent)
      }
    const expectOrder = () => {
      expect(faults).to.deep.equal([])
      const last = new Map<string, number>()
      for (const { key, n } of done.items) {
        expect(n, `the order of ${key}`).to.be.greaterThan(last.get(key) ?? -1)
        last.set(key, n)
      }
    }
    return { handler, done, expectOrder }
  }

  const sequences = fc.array(
    fc.record({ key: fc.constantFrom('a', 'b', 'c', 'ä,!7'), fails: fc.constantFrom(0, 0, 0, 0, 1, 2) }),
    { minLength: 1, maxLength: 60 },
  )

  it('are handled in the order of their publishes, one at a time, whatever fails, over several consumers', async () => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(sequences, fc.integer({ min: 1, max: 3 }), fc.boolean(), async (plan, consumers, early) => {
        const topic = `orders.${++round}`
        const { handler, done, expectOrder } = watch()
        const buses = Array.from({ length: consumers }, () => world.bus())
        const consume = () =>
          buses.map((bus) =>
            bus.consume(
              topic,
              handler(({ n }, attempt) => {
                if (attempt <= (plan[n]?.fails ?? 0)) throw new Error('not yet')
              }),
              { concurrency: 4, retry: { attempts: 5, delay: 1, jitter: 0 } },
            ),
          )
        const subscriptions = early ? consume() : []
        const publisher = world.bus()
        await Promise.all(plan.map(({ key }, n) => publisher.publish(topic, { key, n }, { key })))
        if (!early) consume()
        await done.count(plan.length)
        await Promise.all([...buses, publisher].map((bus) => bus.close()))
        expect(done.items).to.have.length(plan.length)
        expectOrder()
        await namespaceIsClean(world.redis, world.namespace)
        expect(subscriptions).to.have.length(early ? consumers : 0)
      }),
      { numRuns: 15 },
    )
  })

  it('hold up only themselves', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const done = new Received<string>()
    const handler = async ({ body }: { body: unknown }) => {
      if (body === 'slow 1') await gate.opened
      done.add(String(body))
    }
    const subscription = bus.consume('orders.paid', handler, { concurrency: 3 })
    await subscription.ready
    for (const n of [1, 2])
      for (const key of ['slow', 'quick']) await bus.publish('orders.paid', `${key} ${n}`, { key })
    expect(await done.count(2)).to.deep.equal(['quick 1', 'quick 2'])
    gate.open()
    expect((await done.count(4)).slice(2)).to.deep.equal(['slow 1', 'slow 2'])
    await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('go on after a dead letter, which when it is redriven joins the head', async () => {
    const bus = world.bus()
    const done = new Received<number>()
    let healed = false
    const subscription = bus.consume(
      'orders.paid',
      ({ body }) => {
        if (body === 1 && !healed) throw new Error('no')
        done.add(body as number)
      },
      { retry: false, concurrency: 1 },
    )
    await subscription.ready
    await bus.publishBatch(
      'orders.paid',
      [1, 2, 3].map((body) => ({ body, key: 'k' })),
    )
    expect(await done.count(2)).to.deep.equal([2, 3])
    healed = true
    const group = bus.topic('orders.paid').group('test')
    expect(await group.redrive('all')).to.equal(1)
    expect(await done.count(3)).to.deep.equal([2, 3, 1])
    await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('run again in their order when the consumer that had them is gone', async () => {
    const done = new Received<Sent>()
    const started = new Received<Sent>()
    let isGone = false
    const buses = [world.bus(), world.bus()] as const
    const consume = (bus: (typeof buses)[number]) =>
      bus.consume(
        'orders.paid',
        async ({ body }, { signal }) => {
          started.add(body as Sent)
          if (!isGone) await new Promise((resolve) => signal.addEventListener('abort', resolve))
          signal.throwIfAborted()
          done.add(body as Sent)
        },
        { concurrency: 3, lease: '1s' },
      ).ready
    await consume(buses[0])
    const entries = Array.from({ length: 30 }, (_, n) => ({ body: { key: `k${n % 2}`, n }, key: `k${n % 2}` }))
    await buses[0].publishBatch('orders.paid', entries)
    await started.count(2)
    const sessions = (await world.redis.keys(`${world.namespace}:*:sessions`))[0] as string
    const [holder] = await world.redis.zrange(sessions, '0', '-1')
    // Its lease is over, and it is fenced off as whoever looks after the group would.
    isGone = true
    await world.redis
      .multi()
      .zrem(sessions, holder as string)
      .rpush(sessions.replace(/sessions$/, 'expired'), holder as string)
      .exec()
    await consume(buses[1])
    await done.count(30)
    for (const key of ['k0', 'k1'])
      expect(done.items.filter((sent) => sent.key === key).map(({ n }) => n)).to.deep.equal(
        entries.filter((entry) => entry.key === key).map(({ body }) => body.n),
      )
    await Promise.all(buses.map((bus) => bus.close()))
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('cost no round trip for each message of one key', async () => {
    const bus = world.bus()
    const done = new Received<number>()
    for (let i = 0; i < 2; i++)
      await bus.publishBatch(
        'orders.paid',
        Array.from({ length: 1000 }, (_, n) => ({ body: i * 1000 + n, key: 'hot' })),
      )
    await world.redis.config('RESETSTAT')
    const subscription = bus.consume('orders.paid', ({ body }) => done.add(body as number))
    expect(await done.count(2000)).to.deep.equal(Array.from({ length: 2000 }, (_, n) => n))
    await subscription.close()
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1])
    expect(calls).to.be.below(100)
  })

  it('leave nothing behind, and hold their lines in the count', async function () {
    this.timeout(120_000)
    const bus = world.bus()
    for (let i = 0; i < 100; i++)
      await bus.publishBatch(
        'orders.paid',
        Array.from({ length: 1000 }, (_, n) => ({ body: n, key: `key ${i}-${n}` })),
      )
    await bus.publishBatch(
      'orders.paid',
      [1, 2].map((body) => ({ body, key: 'key 0-0' })),
    )
    const done = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => done.add(body), { concurrency: 100 })
    await done.count(100_002, 100_000)
    await eventually(world, 'all settled', async () => {
      const { test } = (await bus.topic('orders.paid').stats()).groups
      return test?.inFlight === 0 ? test : undefined
    })
    await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
  })
})
