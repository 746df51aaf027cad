import { type BusOptions, type BuswayError, createBus, defineTopics, type MaxWaiting, type } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { readTopic } from '../lua/snapshot.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const caught = (promise: Promise<unknown>): Promise<BuswayError> =>
  promise.then(
    () => {
      throw new Error('it was accepted')
    },
    (error: BuswayError) => error,
  )

conformance('maxWaiting', (world) => {
  const bounded = (
    maxWaiting: number | MaxWaiting | undefined,
    options: { redis?: BusOptions['redis']; publishTimeout?: number } = {},
  ) => {
    const body = type<unknown>()
    const topics = defineTopics({ 'orders.paid': maxWaiting === undefined ? { body } : { body, maxWaiting } })
    const { server, namespace } = world
    const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, topics, ...options })
    bus.on('error', () => {})
    world.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  type Publisher = ReturnType<typeof bounded>
  const entries = (count: number, from = 0) => numbers(count, from).map((body) => ({ body }))
  const waiting = async () => {
    const { groups, meta } = await readTopic(world.redis, world.namespace, 'orders.paid')
    const most = [...groups.values()].map(({ state }) =>
      ['ready', 'held', 'retrying'].reduce((sum, name) => sum + Number(state.get(name) ?? 0), 0),
    )
    return Math.max(Number(meta.get('unclaimed') ?? 0), ...most) + Number(meta.get('scheduled') ?? 0)
  }
  const blocked = () =>
    eventually(world, 'a producer that waits for room', async () =>
      (await world.redis.exists(`${world.namespace}:{orders.paid}:blocked`)) ? true : undefined,
    )
  /** Handles one message after the other, each when the test says so. */
  const stepper = async (bus: Publisher) => {
    const handled = new Received<unknown>()
    const gates: Gate[] = []
    const subscription = bus.consume(
      'orders.paid',
      async ({ body }) => {
        handled.add(body)
        const gate = new Gate()
        gates.push(gate)
        await gate.opened
      },
      { concurrency: 1, lookahead: 0 },
    )
    await subscription.ready
    return {
      handled,
      end: () => gates.shift()?.open(),
      /** Lets it run through. */
      async drain(count: number) {
        while (handled.items.length < count) {
          gates.shift()?.open()
          await new Promise((resolve) => setImmediate(resolve))
        }
        for (const gate of gates) gate.open()
        await subscription.close()
      },
    }
  }

  describe('with the policy reject', () => {
    it('refuses what there is no room for, whole, with the reason, until consumers have made some', async () => {
      const bus = bounded(10)
      await bus.publishBatch('orders.paid', entries(8))
      const error = await caught(bus.publishBatch('orders.paid', entries(3, 8)))
      expect(error).to.have.property('code', 'PUBLISH_REJECTED')
      expect(error.details).to.deep.equal({ guard: 'maxWaiting', reason: 'it would exceed maxWaiting, which is 10' })
      expect(error.message).to.contain('raise maxWaiting')
      await bus.publishBatch('orders.paid', entries(2, 8))
      expect(await caught(bus.publish('orders.paid', 10))).to.have.property('code', 'PUBLISH_REJECTED')
      expect(await waiting()).to.equal(10)
      const handled = new Received<unknown>()
      const subscription = bus.consume('orders.paid', ({ body }) => handled.add(body))
      await handled.count(10)
      await bus.publish('orders.paid', 10)
      expect(await handled.count(11)).to.deep.equal(numbers(11))
      await subscription.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('answers each call for itself, though they share a request', async () => {
      const bus = bounded(10)
      const calls = [entries(4), entries(4, 4), entries(4, 8), entries(2, 12), entries(1, 14)]
      const results = await Promise.allSettled(calls.map((each) => bus.publishBatch('orders.paid', each)))
      expect(results.map(({ status }) => status === 'fulfilled')).to.deep.equal([true, true, false, true, false])
      expect(await waiting()).to.equal(10)
    })

    it('says of what can never wait that it has to be split', async () => {
      const error = await caught(bounded({ count: 5, policy: 'wait' }).publishBatch('orders.paid', entries(6)))
      expect(error).to.have.property('code', 'PUBLISH_REJECTED')
      expect(error.message).to.contain('Split it')
    })

    it('binds publishers that do not define it, until a definition lifts it', async () => {
      await bounded(1).publish('orders.paid', 0)
      const error = await caught(world.bus().publish('orders.paid', 1))
      expect(error).to.have.property('code', 'PUBLISH_REJECTED')
      await bounded(undefined)
        .publish('orders.paid', 1)
        .catch(() => undefined)
      expect(await waiting(), 'who says nothing changes nothing').to.equal(1)
      await bounded(Number.POSITIVE_INFINITY).publish('orders.paid', 1)
      await world.bus().publish('orders.paid', 2)
      expect(await waiting()).to.equal(3)
    })

    it('lets retries and redrives by', async () => {
      const bus = bounded(1)
      const handled = new Received<number>()
      const gate = new Gate()
      const subscription = bus.consume(
        'orders.paid',
        async ({ attempt }) => {
          handled.add(attempt)
          await gate.opened
          if (attempt < 3) throw new Error('not yet')
        },
        { concurrency: 1, retry: { delay: 1, jitter: 0 } },
      )
      await subscription.ready
      await bus.publish('orders.paid', 1)
      await handled.count(1)
      await bus.publish('orders.paid', 2)
      gate.open()
      await handled.count(6)
      await subscription.close()
      await namespaceIsClean(world.redis, world.namespace)
    })
  })

  describe('with the policy wait', () => {
    const wait = (count: number): MaxWaiting => ({ count, policy: 'wait' })

    it('resolves when consumers have made room, in order', async () => {
      const bus = bounded(wait(3))
      const consumer = await stepper(bounded(undefined))
      await bus.publish('orders.paid', 0)
      await consumer.handled.count(1)
      const settled = new Received<number>()
      const calls = numbers(10, 1).map((n) => bus.publish('orders.paid', n).then(() => settled.add(n)))
      await settled.count(3)
      await blocked()
      expect(settled.items).to.deep.equal([1, 2, 3])
      consumer.end()
      await settled.count(4)
      expect(settled.items).to.deep.equal([1, 2, 3, 4])
      await Promise.all([...calls, consumer.drain(11)])
      expect(consumer.handled.items).to.deep.equal(numbers(11))
      expect(settled.items).to.deep.equal(numbers(10, 1))
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('keeps the order of each key and of whole calls, whatever their sizes', async () => {
      const plan = fc.array(
        fc.record({ size: fc.integer({ min: 1, max: 6 }), key: fc.constantFrom('a', 'b', undefined) }),
        {
          minLength: 5,
          maxLength: 30,
        },
      )
      await fc.assert(
        fc.asyncProperty(plan, fc.integer({ min: 6, max: 12 }), async (units, count) => {
          const namespace = `${world.namespace}-${Math.random().toString(36).slice(2)}`
          const topics = defineTopics({ 'orders.paid': { body: type<[number, string?]>(), maxWaiting: wait(count) } })
          const make = () =>
            createBus({
              service: 'test',
              redis: world.server.url,
              namespace,
              logger: false,
              topics,
              publishTimeout: '30s',
            })
          await using publisher = make()
          await using consumer = make()
          const handled = new Received<[number, string?]>()
          await consumer.consume('orders.paid', ({ body }) => handled.add(body), { concurrency: 1, lookahead: 0 }).ready
          let next = 0
          const total = units.reduce((sum, { size }) => sum + size, 0)
          await Promise.all(
            units.map(({ size, key }) => {
              const bodies = numbers(size, next)
              next += size
              const keyed = key === undefined ? {} : { key }
              return publisher.publishBatch(
                'orders.paid',
                bodies.map((n) => ({ body: key === undefined ? [n] : [n, key], ...keyed })),
              )
            }),
          )
          await handled.count(total)
          for (const key of ['a', 'b', undefined]) {
            const ofKey = handled.items.filter(([, each]) => each === key).map(([n]) => n)
            expect(ofKey, `of ${key}`).to.deep.equal([...ofKey].sort((a, b) => a - b))
          }
        }),
        { numRuns: 10, includeErrorInReport: true },
      )
    })

    it('asks nothing while it waits: it is told', async () => {
      const bus = bounded(wait(1))
      const consumer = await stepper(bounded(undefined))
      await bus.publish('orders.paid', 0)
      await consumer.handled.count(1)
      await bus.publish('orders.paid', 1)
      const waits = bus.publishBatch('orders.paid', entries(1, 2))
      await blocked()
      // The answer has arrived as well.
      await new Promise((resolve) => setTimeout(resolve, 50))
      const calls = async () => {
        const stats = await world.redis.info('commandstats')
        return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])
      }
      const before = await calls()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      expect(await calls()).to.equal(before)
      consumer.end()
      await waits
      // The consumer settles and takes, the producer publishes, and at most one of them once more.
      expect((await calls()) - before).to.be.at.most(4)
      await consumer.drain(3)
    })

    it('holds over a lost connection, whichever it is and whatever happens meanwhile', async () => {
      for (const which of ['all', 'commands', 'subscribers'] as const) {
        const proxy = await world.proxy()
        const bus = bounded(wait(2), { redis: proxy.redis })
        const consumer = await stepper(bounded(undefined))
        const publishing = numbers(6).map((n) => bus.publish('orders.paid', `${which} ${n}`))
        await blocked()
        if (which === 'subscribers') {
          // Room is made while nobody is there to be told.
          await proxy.down()
          consumer.end()
          await consumer.handled.count(2)
          await proxy.up()
        } else proxy.cut(which)
        await Promise.all([...publishing, consumer.drain(6)])
        expect(consumer.handled.items).to.deep.equal(numbers(6).map((n) => `${which} ${n}`))
        await bus.close()
      }
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('goes on when the answer to the publish that was refused is lost', async () => {
      const proxy = await world.proxy()
      const bus = bounded(wait(2), { redis: proxy.redis })
      await bus.publishBatch('orders.paid', entries(2))
      // Refused once: from then on it listens, and says so.
      const publishing = [bus.publish('orders.paid', 2)]
      await blocked()
      const cut = proxy.cutAtReply()
      const consumer = await stepper(bounded(undefined))
      publishing.push(bus.publish('orders.paid', 3), bus.publish('orders.paid', 4))
      await Promise.all([cut, ...publishing, consumer.drain(5)])
      expect(consumer.handled.items).to.deep.equal(numbers(5))
    })

    it('gives up after publishTimeout, and what was published later goes on', async () => {
      // What is under way by then is PUBLISH_UNKNOWN: long enough for an answer on a busy machine.
      const bus = bounded(wait(1), { publishTimeout: 2000 })
      await bus.publish('orders.paid', 0)
      const errors = await Promise.all([caught(bus.publish('orders.paid', 1)), caught(bus.publish('orders.paid', 2))])
      for (const error of errors) {
        expect(error).to.have.property('code', 'PUBLISH_REJECTED')
        expect(error.details).to.include({ guard: 'maxWaiting', reason: 'it would exceed maxWaiting, which is 1' })
        expect(error.message).to.contain('2000 ms')
      }
      const consumer = await stepper(bounded(undefined))
      await consumer.handled.count(1)
      await bus.publish('orders.paid', 3)
      await consumer.drain(2)
      expect(consumer.handled.items).to.deep.equal([0, 3])
      await bus.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('gives up when its signal is aborted, and what is behind it needs not wait for its room', async () => {
      const bus = bounded(wait(4))
      const consumer = await stepper(bounded(undefined))
      await bus.publish('orders.paid', 0)
      await consumer.handled.count(1)
      await bus.publishBatch('orders.paid', entries(3, 1))
      const controller = new AbortController()
      const large = caught(bus.publishBatch('orders.paid', entries(4, 100), { signal: controller.signal }))
      const small = bus.publish('orders.paid', 4)
      await blocked()
      await new Promise((resolve) => setTimeout(resolve, 50))
      controller.abort(new Error('no more'))
      const error = await large
      expect(error).to.have.property('code', 'PUBLISH_REJECTED')
      expect((error.cause as Error).message).to.equal('no more')
      await small
      await consumer.drain(5)
      expect(consumer.handled.items).to.deep.equal(numbers(5))
    })

    it('is told of room that a purge makes, a higher bound, or the end of a bound', async () => {
      for (const make of [
        (admin: Publisher) => admin.topic('orders.paid').group('test').purge(),
        () => bounded(10).publish('orders.paid', 'more'),
        () => bounded(Number.POSITIVE_INFINITY).publish('orders.paid', 'more'),
      ]) {
        const bus = bounded(wait(2))
        const subscription = bus.consume('orders.paid', () => undefined)
        await subscription.ready
        await subscription.close()
        await bus.publishBatch('orders.paid', entries(2))
        const waits = bus.publish('orders.paid', 2)
        await blocked()
        await make(bus)
        await waits
        await bus.topic('orders.paid').group('test').remove()
        await bus.close()
      }
    })

    it('lets a bus close in time, and says what was not published', async () => {
      const bus = bounded(wait(1))
      await bus.publish('orders.paid', 0)
      const waits = caught(bus.publish('orders.paid', 1))
      await blocked()
      expect((await bus.close({ timeout: 100 })).unanswered).to.equal(1)
      expect(await waits).to.have.property('code', 'BUS_CLOSED')
      expect(await waiting()).to.equal(1)
    })
  })

  it('is never exceeded by several producers, of both policies, and nothing is lost or doubled', async () => {
    const scenario = fc.record({
      count: fc.integer({ min: 1, max: 30 }),
      waiting: fc.integer({ min: 0, max: 3 }),
      rejecting: fc.integer({ min: 0, max: 2 }),
      groups: fc.integer({ min: 1, max: 2 }),
      delayed: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ count, waiting: waiters, rejecting, groups, delayed }) => {
        const buses = [
          ...numbers(waiters).map(() => bounded({ count, policy: 'wait' }, { publishTimeout: 20_000 })),
          ...numbers(rejecting).map(() => bounded(count)),
        ]
        const handled = numbers(groups).map(() => new Received<unknown>())
        const consumers = await Promise.all(
          handled.map(async (received, i) => {
            const bus = bounded(count)
            const run = async ({ body }: { body: unknown }) => {
              received.add(body)
              await new Promise((resolve) => setImmediate(resolve))
            }
            await bus.consume('orders.paid', run, { group: `group${i}`, concurrency: 2 + i, lookahead: 0 }).ready
            return bus
          }),
        )
        let over = false
        const watching = (async () => {
          while (!over) expect(await waiting()).to.be.at.most(count)
        })()
        const accepted: unknown[] = []
        await Promise.all(
          buses.map(async (bus, b) => {
            const calls = numbers(60).map(async (n) => {
              const size = Math.min(count, 1 + (n % 3))
              const bodies = numbers(size).map((i) => `${b} ${n} ${i}`)
              const more = delayed && n % 7 === 0 ? { delay: 5 } : {}
              try {
                await bus.publishBatch(
                  'orders.paid',
                  bodies.map((body) => ({ body, ...more })),
                )
                accepted.push(...bodies)
              } catch (error) {
                expect(b, 'who waits is not refused').to.be.at.least(waiters)
                expect(error).to.have.property('code', 'PUBLISH_REJECTED')
              }
            })
            await Promise.all(calls)
          }),
        )
        for (const received of handled) {
          await received.count(accepted.length)
          expect([...received.items].sort()).to.deep.equal([...accepted].sort())
        }
        over = true
        await watching
        await Promise.all([...buses, ...consumers].map((bus) => bus.close()))
        await namespaceIsClean(world.redis, world.namespace)
        await world.redis.del(...(await world.redis.keys(`${world.namespace}:*`)))
      }),
      { numRuns: 8, includeErrorInReport: true },
    )
  })

  it('costs a topic without it no command and no connection', async () => {
    const counted = async (make: () => Publisher) => {
      const bus = make()
      await bus.ready()
      await world.redis.config('RESETSTAT')
      await bus.publish('orders.paid', 1)
      await bus.publishBatch('orders.paid', entries(3))
      const stats = await world.redis.info('commandstats')
      await bus.close()
      const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [
        name as string,
        Number(n),
      ])
      return Object.fromEntries(calls.filter(([name]) => !/^(info|config|client|hello|ping|quit)/.test(String(name))))
    }
    const subscription = world.bus().consume('orders.paid', () => undefined)
    await subscription.ready
    await subscription.close()
    const plain = await counted(() => bounded(undefined))
    expect(plain).to.not.have.property('subscribe')
    expect(plain.evalsha, 'two to register, one to declare, two to publish').to.equal(5)
    const bound = await counted(() => bounded({ count: 1000, policy: 'wait' }))
    expect(bound, 'nor one with it, as long as there is room').to.not.have.property('subscribe')
    expect(bound.evalsha).to.equal(5)
  })

  it('refuses a definition that is none, before anything is sent', () => {
    const wrong: [unknown, string][] = [
      [0, 'maxWaiting'],
      [1.5, 'maxWaiting'],
      ['10', 'maxWaiting'],
      [{ policy: 'wait' }, 'maxWaiting.count'],
      [{ count: 0 }, 'maxWaiting.count'],
      [{ count: 1, policy: 'block' }, 'maxWaiting.policy'],
      [{ count: 1, polcy: 'wait' }, 'policy'],
    ]
    for (const [maxWaiting, says] of wrong) {
      expect(() => defineTopics({ 'orders.paid': { body: type<unknown>(), maxWaiting: maxWaiting as number } }))
        .to.throw()
        .that.satisfies((error: BuswayError) => error.code === 'INVALID_OPTIONS' && error.message.includes(says))
    }
  })
})
