import {
  type Bus,
  type BuswayError,
  type ConsumeOptions,
  createBus,
  defineTopics,
  type TopicOptions,
  type,
} from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { readTopic } from '../lua/snapshot.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

type Retain = TopicOptions['retain']

const TOPIC = 'orders.created'
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('retain', (world) => {
  const retaining = (retain: Retain, options: { namespace?: string; redis?: string } = {}): Bus => {
    const topics = defineTopics({ [TOPIC]: { body: type<unknown>(), ...(retain !== undefined && { retain }) } })
    const { server, namespace } = world
    const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, topics, ...options })
    bus.on('error', () => {})
    world.atEnd(() => bus.close({ timeout: 2000 }))
    return bus as unknown as Bus
  }
  const publish = (bus: Bus, bodies: readonly unknown[]) =>
    bus.publishBatch(
      TOPIC,
      bodies.map((body) => ({ body })),
    )
  /** A group that runs through, one message after the other. */
  const follow = async (bus: Bus, group: string, options: Partial<ConsumeOptions> = {}) => {
    const handled = new Received<unknown>()
    const handle = async ({ body }: { body: unknown }) => handled.add(body)
    const subscription = bus.consume(TOPIC, handle, { group, concurrency: 1, ...options })
    await subscription.ready
    return { handled, close: () => subscription.close() }
  }
  const snapshot = () => readTopic(world.redis, world.namespace, TOPIC)
  /** Resolves when a group has nothing more to end. */
  const idle = (bus: Bus, group: string) =>
    eventually(world, `the group ${group} to be idle`, async () => {
      const { ready, inFlight, held, retrying, replaying } = await bus.topic(TOPIC).group(group).stats()
      return ready + inFlight + held + retrying + (replaying ?? 0) === 0 ? true : undefined
    })

  describe('a group from the beginning', () => {
    it('gets all that every group has ended, in order, and then what is published, each once', async () => {
      const bus = retaining('7d')
      const first = await follow(bus, 'first')
      for (let n = 0; n < 300; n += 30) await publish(bus, numbers(30, n))
      await first.handled.count(300)
      const second = await follow(bus, 'second', { from: 'beginning' })
      await publish(bus, numbers(50, 300))
      expect(await second.handled.count(350)).to.deep.equal(numbers(350))
      await first.handled.count(350)
      await Promise.all([idle(bus, 'first'), idle(bus, 'second')])
      expect(first.handled.items, 'the other group').to.deep.equal(numbers(350))
      expect(second.handled.items).to.deep.equal(numbers(350))
    })

    it('gets it in order while publishes go on, whatever comes to pass', async function () {
      this.timeout(60_000)
      const plan = fc.record({
        before: fc.integer({ min: 0, max: 200 }),
        meanwhile: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }),
        concurrency: fc.constantFrom(1, 7),
        keys: fc.integer({ min: 1, max: 4 }),
      })
      let runs = 0
      await fc.assert(
        fc.asyncProperty(plan, async ({ before, meanwhile, concurrency, keys }) => {
          await using bus = retaining(100_000, { namespace: `${world.namespace}-${++runs}` })
          let published = 0
          const some = async (count: number) => {
            const entries = numbers(count, published).map((n) => ({ body: n, key: `k${n % keys}` }))
            published += count
            if (count > 0) await bus.publishBatch(TOPIC, entries)
          }
          const first = await follow(bus, 'first')
          await some(before)
          await first.handled.count(before)
          const [second] = await Promise.all([
            follow(bus, 'second', { from: 'beginning', concurrency }),
            (async () => {
              for (const count of meanwhile) await some(count)
            })(),
          ])
          await second.handled.count(published)
          await idle(bus, 'second')
          const { items } = second.handled
          expect(items, 'each once').to.have.members(numbers(published))
          for (const key of numbers(keys)) {
            const ofKey = items.filter((n) => Number(n) % keys === key)
            expect(ofKey, 'a key in its order').to.deep.equal(ofKey.toSorted((a, b) => Number(a) - Number(b)))
          }
        }),
        { numRuns: 15 },
      )
    })

    it('goes on where it was, when its consumer is closed in the middle and another bus opens it anew', async () => {
      const bus = retaining(10_000)
      for (let n = 0; n < 4000; n += 1000) await publish(bus, numbers(1000, n))
      const first = await follow(bus, 'first')
      await first.handled.count(4000)
      const halfway = new Gate()
      const handled = new Received<unknown>()
      const other = retaining(undefined)
      const subscription = other.consume(
        TOPIC,
        async ({ body }) => {
          handled.add(body)
          if (handled.items.length >= 100) halfway.open()
        },
        { group: 'second', concurrency: 1, from: 'beginning' },
      )
      await subscription.ready
      await halfway.opened
      await other.close()
      expect((await bus.topic(TOPIC).group('second').stats()).replaying, 'still to come').to.be.greaterThan(0)
      await publish(bus, numbers(20, 4000))
      const again = await follow(bus, 'second')
      await idle(bus, 'second')
      again.handled.items.unshift(...handled.items)
      expect(again.handled.items).to.deep.equal(numbers(4020))
    })

    it('goes on where it was, when its process is killed in the middle', async function () {
      this.timeout(30_000)
      const bus = retaining(10_000)
      await publish(bus, numbers(300))
      const first = await follow(bus, 'first')
      await first.handled.count(300)
      const consume = { group: 'second', concurrency: 1, from: 'beginning', lease: 500 } as const
      const worker = await world.worker({ topic: TOPIC, consume, behaviour: 'ack', workMs: 1 })
      await worker.until('ended', 50)
      await worker.kill()
      await publish(bus, numbers(10, 300))
      const again = await follow(bus, 'second', { lease: 500 })
      await again.handled.until((items) => items.at(-1) === 309, 'the last one', 20_000)
      await idle(bus, 'second')
      const before = worker.of('started').map(({ body }) => Number(body))
      const after = again.handled.items.map(Number)
      expect(new Set([...before, ...after]).size, 'none is lost').to.equal(310)
      expect(before.filter((n) => after.includes(n)).length, 'what was on its way runs again').to.be.at.most(60)
      expect(
        after.filter((n) => n >= 150),
        'in order',
      ).to.deep.equal(numbers(160, 150))
    })

    it('has dead letters and retries of its own', async () => {
      const bus = retaining('1h')
      const first = await follow(bus, 'first')
      await publish(bus, numbers(5))
      await first.handled.count(5)
      const attempts = new Received<string>()
      const subscription = bus.consume(
        TOPIC,
        async ({ body, attempt }) => {
          attempts.add(`${body} ${attempt}`)
          if (body === 2) throw new Error('no')
        },
        { group: 'second', from: 'beginning', concurrency: 1, retry: { attempts: 2, delay: 1, jitter: 0 } },
      )
      await subscription.ready
      await eventually(world, 'a dead letter', async () => {
        const { dead, ready, inFlight } = await bus.topic(TOPIC).group('second').stats()
        return dead === 1 && ready + inFlight === 0 ? true : undefined
      })
      expect(attempts.items.toSorted()).to.deep.equal(['0 1', '1 1', '2 1', '2 2', '3 1', '4 1'])
      expect((await bus.topic(TOPIC).group('first').stats()).dead).to.equal(0)
      const third = await follow(bus, 'third', { from: 'beginning' })
      expect(await third.handled.count(5), 'it is replayed to others as it was').to.deep.equal(numbers(5))
    })

    it('does not get what was cancelled', async () => {
      const bus = retaining('1h')
      const first = await follow(bus, 'first')
      await first.close()
      const published = await publish(bus, numbers(4))
      const { id } = published[1] as { id: string }
      expect(await bus.topic(TOPIC).cancel(id)).to.equal(true)
      const second = await follow(bus, 'second', { from: 'beginning' })
      expect(await second.handled.count(3)).to.deep.equal([0, 2, 3])
      await idle(bus, 'second')
      expect(second.handled.items).to.have.length(3)
    })

    it('that exists goes on where it is', async () => {
      const bus = retaining('1h')
      await (await follow(bus, 'first')).close()
      await publish(bus, numbers(3))
      const first = await follow(bus, 'first')
      await first.handled.count(3)
      await first.close()
      const again = await follow(bus, 'first', { from: 'beginning' })
      await publish(bus, [3])
      expect(await again.handled.count(1)).to.deep.equal([3])
    })

    it('gets as the first of its topic what waited for one, once, behind what is retained', async () => {
      const bus = retaining('1h')
      const first = await follow(bus, 'first')
      await publish(bus, numbers(3))
      await first.handled.count(3)
      await first.close()
      await bus.topic(TOPIC).group('first').remove()
      await publish(bus, numbers(4, 3))
      expect((await bus.topic(TOPIC).stats()).unclaimed).to.equal(4)
      const second = await follow(bus, 'second', { from: 'beginning' })
      await second.handled.count(7)
      await idle(bus, 'second')
      expect(second.handled.items).to.deep.equal(numbers(7))
    })

    it('is refused where nothing is retained, saying what to do', async () => {
      const bus = retaining(undefined)
      const subscription = bus.consume(TOPIC, async () => {}, { group: 'audit', from: 'beginning' })
      const error = await subscription.ready.then(
        () => undefined,
        (error: BuswayError) => error,
      )
      expect(error).to.have.property('code', 'CONFIG_INVALID')
      expect(error?.message).to.contain('retain')
      expect((await bus.topic(TOPIC).stats()).groups).to.deep.equal({})
    })

    it('is refused over a pattern, whose groups are made with their topics', () => {
      const consume = () => world.bus().consume('orders.*', async () => {}, { from: 'beginning' })
      expect(consume).to.throw('pattern').with.property('code', 'INVALID_OPTIONS')
    })
  })

  describe('keeps memory within its bound', () => {
    it('of messages, and everything only while a group has it to end', async () => {
      const bus = retaining({ count: 100 })
      const first = await follow(bus, 'first')
      for (let n = 0; n < 2000; n += 50) await publish(bus, numbers(50, n))
      await first.handled.count(2000)
      await idle(bus, 'first')
      await publish(bus, [2000])
      await first.handled.count(2001)
      await idle(bus, 'first')
      const { batches, log, groups } = await snapshot()
      const kept = log.reduce((sum, { member }) => sum + member.range.count, 0)
      expect(kept).to.be.within(100, 149)
      expect(batches.size, 'nothing else is stored').to.equal(log.length)
      expect([...groups.values()].every(({ done }) => done.size <= log.length)).to.equal(true)
      const second = await follow(bus, 'second', { from: 'beginning' })
      expect(await second.handled.count(kept)).to.deep.equal(numbers(kept, 2001 - kept))
    })

    it('of time, also when nothing more is published', async () => {
      const bus = retaining('200ms')
      await publish(bus, numbers(10))
      const first = await follow(bus, 'first', { lease: 300 })
      await first.handled.count(10)
      await eventually(world, 'nothing to be kept', async () =>
        (await snapshot()).batches.size === 0 ? true : undefined,
      )
      expect((await snapshot()).log).to.deep.equal([])
    })

    it('and keeps nothing once it is taken away', async () => {
      const bus = retaining(1000)
      const first = await follow(bus, 'first')
      await publish(bus, numbers(20))
      await first.handled.count(20)
      await first.close()
      await publish(retaining(0), [20])
      const again = await follow(retaining(undefined), 'first')
      await again.handled.count(1)
      await again.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('and a bus that defines the topic without it leaves it as it is', async () => {
      const first = await follow(retaining(1000), 'first')
      await publish(retaining(undefined), numbers(3))
      await first.handled.count(3)
      const second = await follow(retaining(undefined), 'second', { from: 'beginning' })
      expect(await second.handled.count(3)).to.deep.equal(numbers(3))
    })
  })
})
