import { expect } from 'chai'
import { readTopic } from '../lua/snapshot.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const ascending = (a: number, b: number) => a - b

conformance('delivery', (world) => {
  describe('concurrent publishers and subscribers', () => {
    it('lose nothing and get nothing twice', async () => {
      const received = new Received<number>()
      const consumers = [world.bus(), world.bus(), world.bus()]
      await Promise.all(
        consumers.map(
          (bus) =>
            bus.consume('orders.paid', (message) => received.add(message.body as number), { concurrency: 50 }).ready,
        ),
      )
      const publishers = [world.bus(), world.bus(), world.bus()]
      const published = await Promise.all(
        publishers.map((bus, p) => Promise.all(numbers(1000, p * 1000).map((n) => bus.publish('orders.paid', n)))),
      )
      await received.count(3000)
      await Promise.all([...consumers, ...publishers].map((bus) => bus.close()))
      expect([...received.items].sort(ascending)).to.deep.equal(numbers(3000))
      expect(new Set(published.flat().map(({ id }) => id)).size).to.equal(3000)
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('share the work of one group', async () => {
      const gate = new Gate()
      const by = new Received<number>()
      const consumers = [0, 1].map((n) => {
        const bus = world.bus()
        const handler = async () => {
          by.add(n)
          await gate.opened
        }
        return bus.consume('orders.paid', handler, { concurrency: 1 })
      })
      await Promise.all(consumers.map(({ ready }) => ready))
      const bus = world.bus()
      await bus.publish('orders.paid', 1)
      await bus.publish('orders.paid', 2)
      await by.count(2)
      gate.open()
      expect([...by.items].sort()).to.deep.equal([0, 1])
    })
  })

  it('keeps topics apart', async () => {
    const bus = world.bus()
    const received = { 'a.b': new Received<unknown>(), 'a.c': new Received<unknown>(), a: new Received<unknown>() }
    for (const [topic, seen] of Object.entries(received)) {
      await bus.consume(topic, ({ body, topic }) => seen.add(`${topic} ${body}`)).ready
    }
    await Promise.all(numbers(30).map((n) => bus.publish(['a.b', 'a.c', 'a'][n % 3] as string, n)))
    for (const [topic, seen] of Object.entries(received)) {
      await seen.count(10)
      expect(seen.items.every((item) => String(item).startsWith(`${topic} `))).to.equal(true)
    }
    await bus.close()
    expect(Object.values(received).map(({ items }) => items.length)).to.deep.equal([10, 10, 10])
  })

  it('gives every group everything, and stores it once', async () => {
    const bus = world.bus()
    const groups = { billing: new Received<number>(), shipping: new Received<number>() }
    for (const [group, seen] of Object.entries(groups)) {
      const subscription = bus.consume('orders.paid', ({ body }) => seen.add(body as number), { group })
      await subscription.ready
      subscription.pause()
    }
    await bus.topic('orders.paid').group('billing').pause()
    await bus.topic('orders.paid').group('shipping').pause()
    await bus.publishBatch(
      'orders.paid',
      numbers(100).map((body) => ({ body })),
    )
    const stored = await readTopic(world.redis, world.namespace, 'orders.paid')
    expect(stored.batches.size).to.equal(1)
    expect([...stored.pending.values()]).to.deep.equal([200])
    await bus.close()

    const resumed = world.bus()
    for (const [group, seen] of Object.entries(groups)) {
      resumed.consume('orders.paid', ({ body }) => seen.add(body as number), { group })
      await resumed.topic('orders.paid').group(group).resume()
    }
    for (const seen of Object.values(groups))
      expect((await seen.count(100)).sort(ascending)).to.deep.equal(numbers(100))
    await resumed.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  describe('one publisher', () => {
    for (const [how, awaited] of [
      ['without waiting in between', false],
      ['one after the other', true],
    ] as const) {
      it(`is handled in its order at concurrency 1, published ${how}`, async () => {
        const received = new Received<number>()
        const consumer = world.bus()
        await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
        const bus = world.bus()
        const sent: Promise<unknown>[] = []
        for (const n of numbers(awaited ? 100 : 2000)) {
          const receipt = bus.publish('orders.paid', n)
          if (awaited) await receipt
          else sent.push(receipt)
        }
        await Promise.all(sent)
        const count = awaited ? 100 : 2000
        expect(await received.count(count)).to.deep.equal(numbers(count))
      })
    }

    it('is handled in its order by a handler that hesitates, so that what waits behind it is given back', async () => {
      const bus = world.bus()
      await Promise.all(numbers(400).map((n) => bus.publish('orders.paid', n)))
      const received = new Received<number>()
      const handler = async ({ body }: { body: unknown }) => {
        received.add(body as number)
        const hesitates = (body as number) % 80 === 70
        await new Promise((resolve) => setTimeout(resolve, hesitates ? 260 : 2))
      }
      bus.consume('orders.paid', handler, { concurrency: 1 })
      expect(await received.count(400)).to.deep.equal(numbers(400))
    })

    it('keeps its order over single publishes and batches', async () => {
      const bus = world.bus()
      const sent: Promise<unknown>[] = []
      for (let n = 0; n < 600; n += 6) {
        sent.push(bus.publish('orders.paid', n))
        sent.push(
          bus.publishBatch(
            'orders.paid',
            numbers(5, n + 1).map((body) => ({ body })),
          ),
        )
      }
      await Promise.all(sent)
      const received = new Received<number>()
      bus.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 })
      expect(await received.count(600)).to.deep.equal(numbers(600))
    })
  })

  describe('what no group was there for', () => {
    it('is inherited, in order, by the first group, and only by it', async () => {
      const bus = world.bus()
      await Promise.all(numbers(500).map((n) => bus.publish('orders.paid', n)))
      expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(500)
      const first = new Received<number>()
      const second = new Received<number>()
      await bus.consume('orders.paid', ({ body }) => first.add(body as number), { group: 'first', concurrency: 1 })
        .ready
      await bus.consume('orders.paid', ({ body }) => second.add(body as number), { group: 'second' }).ready
      await bus.publish('orders.paid', 500)
      expect(await first.count(501)).to.deep.equal(numbers(501))
      expect(await second.count(1)).to.deep.equal([500])
      await bus.close()
      expect(second.items).to.have.length(1)
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('is inherited in order while more is published', async () => {
      const publisher = world.bus()
      await Promise.all(numbers(1000).map((n) => publisher.publish('orders.paid', n)))
      const received = new Received<number>()
      const more = (async () => {
        for (const n of numbers(200, 1000)) await publisher.publish('orders.paid', n)
      })()
      world.bus().consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 })
      await more
      expect(await received.count(1200)).to.deep.equal(numbers(1200))
    })
  })

  it('hands over a message as it was published', async () => {
    const received = new Received<Record<string, unknown>>()
    const consumer = world.bus({ service: 'ledger' })
    await consumer.consume('orders.paid', (message, context) => {
      const { id, topic, type, source, time, key, headers, body, contentType, attempt, redelivered } = message
      received.add({
        id,
        topic,
        type,
        source,
        time,
        key,
        headers,
        body,
        contentType,
        attempt,
        redelivered,
        group: context.group,
      })
    }).ready
    const bus = world.bus({ service: 'shop' })
    const before = Number((await world.redis.time())[0]) * 1000
    const receipt = await bus.publish(
      'orders.paid',
      { total: 12.5, note: 'ünï', lines: [1, null] },
      { id: 'order-7', key: 'customer-3', type: 'order', headers: { trace: 'x' } },
    )
    expect(receipt).to.deep.equal({ id: 'order-7', topic: 'orders.paid', status: 'accepted' })
    const [message] = await received.count(1)
    const { time, ...rest } = message as { time: Date }
    expect(rest).to.deep.equal({
      id: 'order-7',
      topic: 'orders.paid',
      type: 'order',
      source: 'shop',
      key: 'customer-3',
      headers: { trace: 'x' },
      body: { total: 12.5, note: 'ünï', lines: [1, null] },
      contentType: 'application/json',
      attempt: 1,
      redelivered: false,
      group: 'ledger',
    })
    expect(time.getTime()).to.be.within(before, before + 60_000)
  })

  it('answers an own id that still exists as a duplicate, and accepts it again when it has ended', async () => {
    const bus = world.bus()
    const first = await bus.publish('orders.paid', 1, { id: 'order-7' })
    expect(await bus.publish('orders.paid', 2, { id: 'order-7' })).to.deep.equal({
      id: 'order-7',
      topic: 'orders.paid',
      status: 'duplicate',
      duplicateOf: first.id,
    })
    const received = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => received.add(body))
    await received.count(1)
    await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
    expect((await bus.publish('orders.paid', 3, { id: 'order-7' })).status).to.equal('accepted')
  })

  describe('publishBatch', () => {
    it('answers a receipt for each entry, in order', async () => {
      const bus = world.bus()
      const receipts = await bus.publishBatch(
        'orders.paid',
        numbers(1000).map((body) => ({ body })),
      )
      const bodies = new Map<string, unknown>()
      const received = new Received<unknown>()
      bus.consume('orders.paid', ({ id, body }) => {
        bodies.set(id, body)
        received.add(body)
      })
      await received.count(1000)
      expect(receipts.map(({ id }) => bodies.get(id))).to.deep.equal(numbers(1000))
    })

    it('publishes nothing if one entry is bad', async () => {
      const bus = world.bus()
      const outcome = await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 10n }, { body: 3 }]).then(
        () => 'published',
        ({ code }) => code,
      )
      expect(outcome).to.equal('INVALID_BODY')
      await bus.publish('orders.paid', 4)
      expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(1)
    })
  })
})
