import { expect } from 'chai'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('closing', (world) => {
  it('releases what was not started, in order, its attempts unchanged, and settles what ran', async () => {
    const publisher = world.bus()
    await publisher.publishBatch(
      'orders.paid',
      numbers(1000).map((body) => ({ body })),
    )
    const started = new Received<number>()
    const gate = new Gate()
    const first = world.bus()
    const subscription = first.consume(
      'orders.paid',
      async ({ body }) => {
        started.add(body as number)
        if (started.items.length > 20) await gate.opened
      },
      { concurrency: 5, lookahead: '10s' },
    )
    await started.count(25)
    const closing = subscription.close()
    gate.open()
    const report = await closing
    const ran = started.items.length
    expect(report.abandoned).to.deep.equal([])
    expect(await publisher.topic('orders.paid').group('test').stats()).to.deep.include({
      ready: 1000 - ran,
      inFlight: 0,
      retrying: 0,
      dead: 0,
    })
    const rest = new Received<{ body: number; attempt: number; redelivered: boolean }>()
    await world
      .bus()
      .consume(
        'orders.paid',
        ({ body, attempt, redelivered }) => rest.add({ body: body as number, attempt, redelivered }),
        { concurrency: 1 },
      ).ready
    const taken = await rest.count(1000 - ran)
    expect(taken.map(({ body }) => body)).to.deep.equal(numbers(1000).filter((n) => !started.items.includes(n)))
    expect(new Set(taken.map(({ attempt }) => attempt))).to.deep.equal(new Set([1]))
  })

  it('under load loses nothing and runs nothing twice', async () => {
    const publisher = world.bus()
    const runs = new Received<number>()
    const consumer = (concurrency: number) => {
      const bus = world.bus()
      const subscription = bus.consume('orders.paid', ({ body }) => runs.add(body as number), { concurrency })
      return { bus, subscription }
    }
    const consumers = [consumer(1), consumer(20), consumer(100)]
    const publishing = Promise.all(numbers(3000).map((n) => publisher.publish('orders.paid', n)))
    for (const [i, { bus }] of consumers.entries()) {
      await runs.count(300 * (i + 1))
      await bus.close()
    }
    await publishing
    consumer(20)
    await runs.count(3000)
    await Promise.all([publisher.close()])
    expect([...runs.items].sort((a, b) => a - b)).to.deep.equal(numbers(3000))
  })

  it('called ten times at once is one close, with one answer', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const started = new Received<unknown>()
    bus.consume('orders.paid', async ({ body }) => {
      started.add(body)
      await gate.opened
    })
    await bus.publish('orders.paid', 1)
    await started.count(1)
    const closes = numbers(10).map(() => bus.close())
    gate.open()
    const reports = await Promise.all(closes)
    for (const report of reports) expect(report).to.deep.equal({ released: 0, abandoned: [], unanswered: 0 })
    expect(await bus.close()).to.deep.equal(reports[0])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('answers every publish that was called before it', async () => {
    const bus = world.bus()
    const receipts = Promise.all(numbers(2000).map((n) => bus.publish('orders.paid', n)))
    await bus.close()
    expect((await receipts).every(({ status }) => status === 'accepted')).to.equal(true)
    expect((await world.bus().topic('orders.paid').stats()).unclaimed).to.equal(2000)
  })

  it('refuses what is called after it', async () => {
    const bus = world.bus()
    await bus.publish('orders.paid', 1)
    await bus.close()
    const code = (error: { code?: string }) => error.code
    expect(await bus.publish('orders.paid', 2).then(() => 'published', code)).to.equal('BUS_CLOSED')
    expect(() => bus.consume('orders.paid', () => {}))
      .to.throw()
      .with.property('code', 'BUS_CLOSED')
  })

  describe('with a timeout', () => {
    it('gives up in time and says what it left, which is leased until it returns', async () => {
      const bus = world.bus()
      const gate = new Gate()
      const started = new Received<string>()
      const aborted = new Received<unknown>()
      bus.consume(
        'orders.paid',
        async ({ id }, { signal }) => {
          started.add(id)
          signal.addEventListener('abort', () => aborted.add(id))
          await gate.opened
        },
        { concurrency: 2 },
      )
      const receipts = await bus.publishBatch(
        'orders.paid',
        numbers(10).map((body) => ({ body })),
      )
      await started.count(2)
      const beganMs = performance.now()
      const report = await bus.close({ timeout: 200 })
      expect(performance.now() - beganMs).to.be.within(190, 2000)
      expect([...report.abandoned].sort()).to.deep.equal(receipts.slice(0, 2).map(({ id }) => id))
      expect(aborted.items).to.have.length(2)
      const { groups } = await world.bus().topic('orders.paid').stats()
      expect(groups.test).to.deep.include({ ready: 8, inFlight: 2 })
      gate.open()
    })

    it('does not hang on a server that does not answer', async () => {
      const proxy = await world.proxy()
      const bus = world.bus({ redis: proxy.redis })
      await bus.consume('orders.paid', () => {}).ready
      proxy.hang()
      const unanswered = bus.publish('orders.paid', 1).then(
        () => 'published',
        ({ code }) => code,
      )
      const beganMs = performance.now()
      const report = await bus.close({ timeout: 300 })
      expect(performance.now() - beganMs).to.be.at.most(3000)
      expect(report.unanswered).to.equal(1)
      expect(await unanswered).to.be.oneOf(['PUBLISH_UNKNOWN', 'BUS_CLOSED'])
    })
  })

  it('of one subscription leaves the others of the bus working', async () => {
    const bus = world.bus()
    const kept = new Received<unknown>()
    const closed = bus.consume('orders.paid', () => {}, { group: 'closed' })
    bus.consume('orders.paid', ({ body }) => kept.add(body), { group: 'kept' })
    await closed.ready
    await closed.close()
    await bus.publish('orders.paid', 1)
    await kept.count(1)
  })
})
