import { type Bus, type BuswayError, createBus, type Plugin, type TopicOptions } from '@busway/bus'
import { expect } from 'chai'
import { partitionNames, partitionOfKey } from '../../packages/bus/src/partitions/names.js'
import { eventually } from '../support/eventually.js'
import { topicsWith } from '../support/partitioned.js'
import { Gate, Received } from '../support/received.js'
import { world } from '../support/world.js'

const TOPIC = 'orders.paid'
const COUNT = 3
const NAMES = partitionNames(TOPIC, COUNT)
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
/** A key of each partition. */
const keys = numbers(COUNT).map((index) => {
  for (let n = 0; ; n++) if (partitionOfKey(`k${n}`, COUNT) === index) return `k${n}`
})
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: BuswayError) => error.code,
  )

describe('a topic with partitions', () => {
  const w = world()
  const bus = (options: TopicOptions = {}, more: object = {}, ...others: string[]): Bus => {
    const made = createBus({
      ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: w.log.logger },
      topics: topicsWith({ partitions: COUNT, ...options }, TOPIC, ...others),
      ...more,
    }) as Bus
    made.on('error', () => {})
    w.atEnd(() => made.close({ timeout: 2_000 }))
    return made
  }
  /** Messages waiting in each partition, as they are stored. */
  const waiting = () =>
    Promise.all(NAMES.map(async (name) => Number(await w.redis.hget(`${w.namespace}:{${name}}:meta`, 'unclaimed'))))
  const everything = async () => (await w.redis.keys(`${w.namespace}:*`)).sort()

  describe('is published to', () => {
    it('in turn, what comes together in one batch', async () => {
      const publisher = bus()
      for (const n of numbers(6)) await publisher.publish(TOPIC, n)
      expect(await waiting()).to.deep.equal([2, 2, 2])
      await Promise.all(numbers(3 * 128).map((n) => publisher.publish(TOPIC, n)))
      expect(await waiting()).to.deep.equal([130, 130, 130])
      const batches = await Promise.all(NAMES.map((name) => w.redis.hlen(`${w.namespace}:{${name}}:pending`)))
      expect(batches.reduce((a, b) => a + b)).to.equal(6 + 3)
    })

    it('where its ordering key says, or its own id; a key wins', async () => {
      const publisher = bus()
      await publisher.publish(TOPIC, 0, { key: keys[1] })
      await publisher.publish(TOPIC, 0, { id: keys[2] })
      expect(await waiting()).to.deep.equal([0, 1, 1])
      expect(await publisher.publish(TOPIC, 0, { id: keys[2] })).to.include({ status: 'duplicate' })
      await publisher.publish(TOPIC, 0, { key: keys[1], id: keys[2] })
      expect(await publisher.publish(TOPIC, 0, { key: keys[1], id: keys[2] })).to.include({ status: 'duplicate' })
      expect(await waiting()).to.deep.equal([0, 2, 1])
    })

    it('as a batch to one partition, by the keys in it; keys of several are refused', async () => {
      const publisher = bus()
      await publisher.publishBatch(TOPIC, [{ body: 0 }, { body: 1, key: keys[1] }, { body: 2 }])
      expect(await waiting()).to.deep.equal([0, 3, 0])
      const before = await everything()
      const error = await publisher
        .publishBatch(TOPIC, [
          { body: 0, key: keys[0] },
          { body: 1, key: keys[1] },
        ])
        .catch((reason) => reason)
      expect(error).to.include({ code: 'INVALID_OPTIONS' })
      expect(error.message).to.contain('one partition')
      expect(await everything()).to.deep.equal(before)
      await publisher.publishBatch(
        TOPIC,
        numbers(10).map((body) => ({ body })),
      )
      expect((await waiting()).filter((count) => count % 10 === 0)).to.have.length(2)
    })

    it('and its receipts and messages say its name', async () => {
      const publisher = bus()
      const received = new Received<object>()
      publisher.consume(TOPIC, ({ topic, type, body }) => received.add({ topic, type, body }))
      for (const n of numbers(4))
        expect(await publisher.publish(TOPIC, n)).to.include({ topic: TOPIC, status: 'accepted' })
      await received.count(4)
      expect(received.items).to.have.deep.members(numbers(4).map((body) => ({ topic: TOPIC, type: TOPIC, body })))
      expect(await publisher.topics()).to.deep.equal([TOPIC])
    })

    it('when it is due, what is delayed', async () => {
      const publisher = bus()
      const received = new Received<unknown>()
      await publisher.consume(TOPIC, ({ body }) => received.add(body)).ready
      for (const n of numbers(6)) await publisher.publish(TOPIC, n, { delay: n === 5 ? '1h' : 20 })
      await received.count(5)
      const { scheduled } = await publisher.topic(TOPIC).stats()
      expect(scheduled).to.equal(1)
      const { items } = await publisher.topic(TOPIC).peek({ state: 'scheduled' })
      expect(items.map(({ body }) => body)).to.deep.equal([5])
      expect(await publisher.topic(TOPIC).reschedule(items[0]?.id as string, 0)).to.equal(true)
      expect((await received.count(6)).at(-1)).to.equal(5)
    })
  })

  describe('has the number of partitions that it was made with', () => {
    const refused = async (wrong: Bus, has: number) => {
      const before = await everything()
      const error = await wrong.publish(TOPIC, 0).catch((reason) => reason)
      expect(error).to.include({ code: 'CONFIG_INVALID' })
      expect(error.message).to.contain(`has ${has} partition`)
      expect(await codeOf(wrong.consume(TOPIC, () => {}).ready)).to.equal('CONFIG_INVALID')
      expect(await codeOf(wrong.request(TOPIC, 0))).to.equal('CONFIG_INVALID')
      expect(await everything()).to.deep.equal(before)
      expect(w.log.items.filter(({ msg }) => msg?.includes('has not started'))).to.have.length(1)
    }

    it('a bus that says another is refused, and nothing is written', async () => {
      await bus().publish(TOPIC, 1)
      await refused(bus({ partitions: 4 }), 3)
    })

    it('a bus that says nothing as well', async () => {
      await bus().publish(TOPIC, 1)
      await refused(w.bus(), 3)
    })

    it('also where that is one', async () => {
      await w.bus().publish(TOPIC, 1)
      await refused(bus(), 1)
    })

    it('until it is deleted', async () => {
      await bus().publish(TOPIC, 1)
      await w.bus().topic(TOPIC).delete({ force: true })
      await bus({ partitions: 2 }).publish(TOPIC, 1)
      expect(await w.bus().topic(TOPIC).stats()).to.include({ unclaimed: 1 })
    })
  })

  describe('is consumed', () => {
    it('by one subscription: one concurrency, told of once', async () => {
      const gate = new Gate()
      const started = new Received<unknown>()
      const said: unknown[] = []
      const plugin: Plugin = {
        ...{ name: 'watcher', api: 1 },
        setup: (scope) => scope.observe('subscribed', (event) => said.push(event)),
      }
      const consumer = bus({}, { plugins: [plugin] })
      const handle = async ({ body }: { body: unknown }) => {
        started.add(body)
        await gate.opened
      }
      const subscription = consumer.consume(TOPIC, handle, { concurrency: 4, group: 'g' })
      await subscription.ready
      expect(said).to.deep.equal([{ topic: TOPIC, group: 'g' }])
      expect(() => consumer.consume(TOPIC, handle, { group: 'g' })).to.throw(
        'consumes orders.paid in the group g already',
      )
      for (const n of numbers(12)) await consumer.publish(TOPIC, n)
      await started.count(4)
      expect(await consumer.topic(TOPIC).group('g').stats()).to.include({ consumers: 1 })
      expect(started.items).to.have.length(4)
      gate.open()
      expect(new Set(await started.count(12))).to.have.property('size', 12)
      expect(await subscription.close()).to.deep.equal({ released: 0, abandoned: [], unanswered: 0 })
    })

    it('in the order of each key, whatever fails', async () => {
      const consumers = [bus(), bus()]
      const done = new Map<string, number[]>()
      const received = new Received<unknown>()
      for (const consumer of consumers)
        consumer.consume(
          TOPIC,
          async ({ key = '', body, attempt }) => {
            if ((body as number) % 7 === 0 && attempt === 1) throw new Error('not yet')
            done.set(key, [...(done.get(key) ?? []), body as number])
            received.add(body)
          },
          { retry: { attempts: 3, delay: 1 } },
        )
      await Promise.all(
        numbers(200).map((n) => consumers[n % 2 === 0 ? 0 : 0]?.publish(TOPIC, n, { key: `k${n % 10}` })),
      )
      await received.count(200)
      for (const [key, order] of done) expect(order, key).to.deep.equal([...order].sort((a, b) => a - b))
    })

    it('in batches of one partition each', async () => {
      const consumer = bus()
      const batches = new Received<readonly (string | undefined)[]>()
      for (const n of numbers(30)) await consumer.publish(TOPIC, n, { id: `${keys[n % 3]}`.padEnd(4 + n, '.') })
      const sizes = { size: 5, wait: 20 }
      await consumer.consumeBatch(TOPIC, (messages) => batches.add(messages.map(({ id }) => id)), { batch: sizes })
        .ready
      await batches.until((items) => items.flat().length === 30, 'all')
      for (const ids of batches.items)
        expect(new Set(ids.map((id) => partitionOfKey(id ?? '', COUNT))).size).to.equal(1)
    })

    it('paused, and resumed', async () => {
      const consumer = bus()
      const received = new Received<unknown>()
      const subscription = consumer.consume(TOPIC, ({ body }) => received.add(body), { group: 'g' })
      await subscription.ready
      subscription.pause()
      for (const n of numbers(6)) await consumer.publish(TOPIC, n)
      expect(await consumer.topic(TOPIC).group('g').stats()).to.include({ ready: 6, inFlight: 0, paused: false })
      subscription.resume()
      await received.count(6)
      const group = consumer.topic(TOPIC).group('g')
      await group.pause()
      for (const n of numbers(6)) await consumer.publish(TOPIC, n)
      expect(await group.stats()).to.include({ ready: 6, paused: true })
      await group.resume()
      await received.count(12)
    })

    it('by a pattern once, also by a bus that does not define it', async () => {
      const received = new Received<unknown>()
      const subscription = w
        .bus()
        .consume('orders.*', ({ topic, body }) => received.add(`${topic} ${body}`), { group: 'audit' })
      await subscription.ready
      const publisher = bus()
      for (const n of numbers(6)) await publisher.publish(TOPIC, n)
      await received.count(6)
      expect(received.items).to.have.members(numbers(6).map((n) => `${TOPIC} ${n}`))
      await subscription.close()
      const later = w.bus().consume('>', ({ body }) => received.add(body), { group: 'audit' })
      await later.ready
      for (const n of numbers(6)) await publisher.publish(TOPIC, n)
      await received.count(12)
      expect(new Set(received.items.slice(6))).to.have.property('size', 6)
    })

    it('from the beginning of what it retains', async () => {
      const publisher = bus({ retain: '1h' })
      await Promise.all(numbers(20).map((n) => publisher.publish(TOPIC, n)))
      const first = new Received<unknown>()
      await publisher.consume(TOPIC, ({ body }) => first.add(body)).ready
      await first.count(20)
      const again = new Received<unknown>()
      await publisher.consume(TOPIC, ({ body }) => again.add(body), { group: 'late', from: 'beginning' }).ready
      expect(new Set(await again.count(20))).to.have.property('size', 20)
      expect(await publisher.topic(TOPIC).stats()).to.include({ retained: 20 })
    })
  })

  describe('has no limits that would be kept by each partition for itself', () => {
    it('groupConcurrency is refused, also later and for a pattern', async () => {
      const consumer = bus()
      expect(() => consumer.consume(TOPIC, () => {}, { groupConcurrency: 2 })).to.throw('groupConcurrency')
      await consumer.consume(TOPIC, () => {}, { group: 'g' }).ready
      expect(await codeOf(consumer.topic(TOPIC).group('g').setConcurrency(3))).to.equal('CONFIG_INVALID')
      const pattern = w.bus().consume('orders.*', () => {}, { groupConcurrency: 2, group: 'h' })
      expect(await codeOf(pattern.ready)).to.equal('CONFIG_INVALID')
    })

    it('what waits at most is shared out', async () => {
      const publisher = bus({ maxWaiting: 6, groups: ['g'] })
      for (const n of numbers(6)) await publisher.publish(TOPIC, n)
      expect(await codeOf(publisher.publish(TOPIC, 6))).to.equal('PUBLISH_REJECTED')
      const waits = bus({ maxWaiting: { count: 6, policy: 'wait' }, groups: ['g'] })
      const publishing = Promise.all(numbers(6).map((n) => waits.publish(TOPIC, n)))
      const received = new Received<unknown>()
      waits.consume(TOPIC, ({ body }) => received.add(body), { group: 'g' })
      await publishing
      await received.count(12)
    })
  })

  describe('tells what becomes of its messages', () => {
    it('to requesters', async () => {
      const consumer = bus()
      consumer.consume(TOPIC, ({ body }) => ({ twice: (body as number) * 2 }))
      const replies = await Promise.all(numbers(9).map((n) => bus().request(TOPIC, n, n % 2 ? { key: `k${n}` } : {})))
      expect(replies).to.deep.equal(numbers(9).map((n) => ({ twice: n * 2 })))
    })

    for (const defines of [true, false])
      it(`to who waits for an end, or watches, ${defines ? 'in a bus that defines it' : 'and in one that does not'}`, async () => {
        const publisher = bus()
        const watcher = defines ? publisher : w.bus()
        await publisher.publish(TOPIC, 0)
        const events = watcher.events(TOPIC)
        await events.ready
        await publisher.consume(TOPIC, ({ body }) => body).ready
        const sent = await Promise.all(
          numbers(6).map((n) => publisher.publish(TOPIC, n, { keepResult: '1m', key: `k${n}` })),
        )
        const seen = new Set<string>()
        while (seen.size < 7) {
          const { value } = await events.next()
          expect(value).to.include({ topic: TOPIC, type: 'settled', outcome: 'done' })
          seen.add((value as { id: string }).id)
        }
        await events.close()
        const ends = await Promise.all(sent.map(({ id }) => watcher.topic(TOPIC).settled(id)))
        expect(ends.map(({ result }) => result)).to.deep.equal(numbers(6))
        expect(await codeOf(watcher.topic(TOPIC).settled('none'))).to.equal('UNKNOWN_MESSAGE')
      })
  })

  describe('takes part in transactions', () => {
    it('what handlers publish to it joins their settle, exactly once, and in the order of its key', async () => {
      const consumer = bus({}, {}, 'invoices')
      const out = new Received<number>()
      await consumer.consume('invoices', ({ body }) => out.add(body as number)).ready
      await consumer.consume(
        TOPIC,
        async ({ body, attempt }, ctx) => {
          await ctx.publish('invoices', body, { key: `k${(body as number) % 3}` })
          if (attempt === 1 && (body as number) % 4 === 0) throw new Error('not yet')
        },
        { retry: { attempts: 2, delay: 1 } },
      ).ready
      await Promise.all(numbers(60).map((n) => consumer.publish(TOPIC, n)))
      await out.count(60)
      await eventually(w, 'all to have ended', async () => {
        const { outbox, groups } = await consumer.topic(TOPIC).stats()
        return outbox === 0 && groups.test?.inFlight === 0 && groups.test.retrying === 0 ? true : undefined
      })
      expect([...out.items].sort((a, b) => a - b)).to.deep.equal(numbers(60))
    })

    it('a handler of a bus that says another number is told so, before it settles', async () => {
      await bus().publish(TOPIC, 1)
      const failed = new Received<string>()
      const other = w.bus()
      other.consume('carts', async (_message, ctx) => {
        failed.add(await codeOf(ctx.publish(TOPIC, 1)))
      })
      await other.publish('carts', 1)
      expect(await failed.count(1)).to.deep.equal(['CONFIG_INVALID'])
      expect(await w.redis.keys(`${w.namespace}:{${TOPIC}}:*`)).to.deep.equal([])
    })
  })

  describe('is administered as one', () => {
    for (const defines of [true, false])
      it(`by a bus that ${defines ? 'defines it' : 'does not define it'}`, async () => {
        const publisher = bus({ groups: ['g', 'other'] })
        const admin = (defines ? publisher : w.bus()).topic(TOPIC)
        const sent = await Promise.all(numbers(30).map((n) => publisher.publish(TOPIC, n, { key: `k${n}` })))
        const ids = sent.map(({ id }) => id)
        expect((await admin.stats()).groups.g).to.include({ ready: 30, consumers: 0 })
        const group = admin.group('g')
        const seen: string[] = []
        const sizes: number[] = []
        for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
          const page = await group.peek({ limit: 7, ...(cursor === undefined ? {} : { cursor }) })
          seen.push(...page.items.map(({ id, topic }) => `${topic} ${id}`))
          sizes.push(page.items.length)
          cursor = page.cursor
        }
        expect(seen).to.have.members(ids.map((id) => `${TOPIC} ${id}`))
        expect(sizes.slice(0, 4)).to.deep.equal([7, 7, 7, 7])
        expect(await admin.message(ids[3] as string)).to.deep.include({ id: ids[3], topic: TOPIC, body: 3, key: 'k3' })
        expect(await admin.message('none')).to.equal(null)
        expect(await admin.update(ids[3] as string, { body: 33 })).to.equal(true)
        expect(await admin.message(ids[3] as string)).to.include({ body: 33 })
        expect(await admin.cancel(ids[0] as string)).to.equal(true)
        expect(await admin.cancel('none')).to.equal(false)
        expect(await group.purge()).to.equal(29)
        expect(await codeOf(admin.group('nobody').stats())).to.equal('UNKNOWN_GROUP')
        expect(await codeOf(admin.group('nobody').peek())).to.equal('UNKNOWN_GROUP')
        expect(await codeOf(group.peek({ cursor: 'x' }))).to.equal('INVALID_OPTIONS')
        expect(await codeOf(group.peek({ cursor: '9.' }))).to.equal('INVALID_OPTIONS')
        expect(await codeOf(group.peek({ limit: 0 }))).to.equal('INVALID_OPTIONS')
        await group.remove()
        expect(Object.keys((await admin.stats()).groups)).to.deep.equal(['other'])
      })

    it('with dead letters of all, and their redrive', async () => {
      const consumer = bus()
      let fails = true
      const done = new Received<unknown>()
      consumer.consume(
        TOPIC,
        ({ body }) => {
          if (fails) throw new Error('no')
          done.add(body)
        },
        { retry: false, group: 'g' },
      )
      const sent = await Promise.all(numbers(12).map((n) => consumer.publish(TOPIC, n, { key: `k${n}` })))
      const group = consumer.topic(TOPIC).group('g')
      await eventually(w, 'twelve dead letters', async () => ((await group.stats()).dead === 12 ? true : undefined))
      const { items } = await group.deadLetters()
      expect(items.map(({ id }) => id)).to.have.members(sent.map(({ id }) => id))
      fails = false
      expect(await group.redrive([sent[0]?.id as string, sent[7]?.id as string, 'none'])).to.equal(2)
      expect(await done.count(2)).to.have.members([0, 7])
      expect(await group.redrive('all')).to.equal(10)
      await done.count(12)
      expect((await group.consumers()).items).to.have.length(COUNT)
    })

    it('and deleted whole, or not at all', async () => {
      const publisher = bus({ groups: ['g'] })
      await publisher.publish(TOPIC, 1, { key: keys[2] })
      const error = await w
        .bus()
        .topic(TOPIC)
        .delete()
        .catch((reason) => reason)
      expect(error).to.deep.include({ code: 'TOPIC_IN_USE', details: { consumers: 0, messages: 1, outbox: 0 } })
      expect(Object.keys((await publisher.topic(TOPIC).stats()).groups)).to.deep.equal(['g'])
      await publisher.topic(TOPIC).group('g').purge()
      await publisher.topic(TOPIC).delete()
      expect(await publisher.topics()).to.deep.equal([])
      await publisher.publish(TOPIC, 1)
      expect(await publisher.topics()).to.deep.equal([TOPIC])
    })

    it('deleted under a consumer, it begins anew', async () => {
      const consumer = bus()
      const received = new Received<unknown>()
      const subscription = consumer.consume(TOPIC, ({ body }) => received.add(body), { lease: 300 })
      await subscription.ready
      await consumer.publish(TOPIC, 0)
      await received.count(1)
      await consumer.topic(TOPIC).delete({ force: true })
      for (const n of numbers(6)) await consumer.publish(TOPIC, n + 1)
      await received.count(7)
      expect(await consumer.topics()).to.deep.equal([TOPIC])
    })
  })
})
