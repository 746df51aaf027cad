import { expect } from 'chai'
import { violations } from '../lua/invariants.js'
import { readTopic } from '../lua/snapshot.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('pausing', (world) => {
  it('a group stops it in every process, and resuming starts it again', async () => {
    const received = new Received<unknown>()
    const consumers = [world.bus(), world.bus()]
    for (const bus of consumers) await bus.consume('orders.paid', ({ body }) => received.add(body)).ready
    const bus = world.bus()
    const group = bus.topic('orders.paid').group('test')
    await group.pause()
    await bus.publishBatch(
      'orders.paid',
      numbers(20).map((body) => ({ body })),
    )
    expect(await group.stats()).to.deep.include({ paused: true, ready: 20, inFlight: 0 })
    expect(received.items).to.have.length(0)
    await group.resume()
    await received.count(20)
    expect((await group.stats()).paused).to.equal(false)
  })

  it('a group outlives its consumers', async () => {
    const bus = world.bus()
    const subscription = bus.consume('orders.paid', () => {})
    await subscription.ready
    await subscription.close()
    await bus.topic('orders.paid').group('test').pause()
    await bus.publish('orders.paid', 1)
    const received = new Received<unknown>()
    const later = world.bus()
    await later.consume('orders.paid', ({ body }) => received.add(body)).ready
    expect(await bus.topic('orders.paid').group('test').stats()).to.deep.include({ ready: 1, inFlight: 0 })
    await bus.topic('orders.paid').group('test').resume()
    await received.count(1)
  })

  it('a subscription stops only that one', async () => {
    const here = new Received<unknown>()
    const there = new Received<unknown>()
    const paused = world.bus().consume('orders.paid', ({ body }) => here.add(body))
    await paused.ready
    paused.pause()
    await world.bus().consume('orders.paid', ({ body }) => there.add(body)).ready
    const bus = world.bus()
    for (const n of numbers(20)) await bus.publish('orders.paid', n)
    await there.count(20)
    expect(here.items).to.have.length(0)
    paused.resume()
  })

  it('a subscription alone keeps messages waiting until it resumes', async () => {
    const received = new Received<unknown>()
    const bus = world.bus()
    const subscription = bus.consume('orders.paid', ({ body }) => received.add(body))
    await subscription.ready
    subscription.pause()
    await bus.publish('orders.paid', 1)
    expect(received.items).to.have.length(0)
    subscription.resume()
    await received.count(1)
  })
})

conformance('stats', (world) => {
  it('always add up, while everything happens at once', async () => {
    const total = 1200
    const bus = world.bus()
    const topic = bus.topic('orders.paid')
    const ended = new Received<number>()
    const attempts = { attempts: 2, delay: 5, jitter: 0 }
    const consumers = numbers(3).map(() => world.bus())
    for (const consumer of consumers)
      await consumer.consume(
        'orders.paid',
        ({ body, attempt }) => {
          const n = body as number
          if (n % 10 === 0) {
            if (attempt === 2) ended.add(n)
            throw new Error('dies')
          }
          if (n % 3 === 0 && attempt === 1) throw new Error('once')
          ended.add(n)
        },
        { concurrency: 20, retry: attempts },
      ).ready
    const look = async () => {
      const snapshot = await readTopic(world.redis, world.namespace, 'orders.paid')
      expect(violations(snapshot)).to.deep.equal([])
      const { ready, inFlight, retrying, held, dead } = await topic.group('test').stats()
      for (const count of [ready, inFlight, retrying, held, dead]) expect(count).to.be.within(0, total)
      expect(ready + inFlight + retrying + held + dead).to.be.at.most(total)
    }
    // One look beside each part, however slow the machine.
    for (let part = 0; part < total; part += total / 10)
      await Promise.all([look(), ...numbers(total / 10).map((n) => bus.publish('orders.paid', part + n))])
    await ended.count(total)
    await Promise.all(consumers.map((consumer) => consumer.close()))
    const stats = await topic.stats()
    expect(stats).to.deep.include({ scheduled: 0, unclaimed: 0, outbox: 0 })
    expect(stats.groups.test).to.deep.equal({
      ready: 0,
      inFlight: 0,
      retrying: 0,
      held: 0,
      dead: total / 10,
      paused: false,
      consumers: 0,
      oldestReadyMs: 0,
    })
  })

  it('tell each state, the consumers, and how old the oldest is', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const started = new Received<unknown>()
    const subscription = bus.consume(
      'orders.paid',
      async ({ body }) => {
        started.add(body)
        if (body === 'fails') throw new Error('no')
        await gate.opened
      },
      { concurrency: 2, lookahead: 0, retry: { attempts: 2, delay: '1h', jitter: 0 } },
    )
    await subscription.ready
    await bus.publish('orders.paid', 'fails')
    for (const n of numbers(5)) await bus.publish('orders.paid', n)
    await bus.publish('orders.paid', 'later', { delay: '1h' })
    await started.count(3)
    const { scheduled, groups } = await bus.topic('orders.paid').stats()
    expect(scheduled).to.equal(1)
    expect(groups.test).to.deep.include({ ready: 3, inFlight: 2, retrying: 1, dead: 0, consumers: 1 })
    expect(groups.test?.oldestReadyMs).to.be.within(0, 20_000)
    gate.open()
  })
})

conformance('a handler', (world) => {
  it('that runs past its timeout is told by its signal, and is tried again', async () => {
    const bus = world.bus()
    const seen = new Received<[attempt: number, aborted: boolean]>()
    const subscription = bus.consume(
      'orders.paid',
      async ({ attempt }, { signal }) => {
        if (attempt === 1)
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
        seen.add([attempt, signal.aborted])
      },
      { timeout: 80, retry: { attempts: 2, delay: 5, jitter: 0 } },
    )
    await bus.publish('orders.paid', 1)
    expect(await seen.count(2)).to.deep.equal([
      [1, true],
      [2, false],
    ])
    await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('that hangs does not hold up the others', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const others = new Received<unknown>()
    bus.consume('orders.paid', ({ body }) => (body === 0 ? gate.opened : others.add(body)), { concurrency: 2 })
    for (const n of numbers(50)) await bus.publish('orders.paid', n)
    expect(await others.count(49)).to.deep.equal(numbers(49, 1))
    gate.open()
  })

  it('that never returns is abandoned one lease after its timeout: it can publish nothing, and another runs', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const runs = new Received<number>()
    const abandoned = new Received<string>()
    const codes = new Received<unknown>()
    bus.on('abandoned', ({ id }) => abandoned.add(id))
    bus.consume(
      'orders.paid',
      async ({ attempt }, context) => {
        runs.add(attempt)
        if (attempt > 1) return
        await gate.opened
        await context.publish('invoices.wanted', 1).catch((error: { code?: string }) => codes.add(error.code))
      },
      { timeout: 50, lease: 600, retry: { attempts: 2, delay: 5, jitter: 0 } },
    )
    const { id } = await bus.publish('orders.paid', 1)
    expect(await abandoned.count(1)).to.deep.equal([id])
    expect(await runs.count(2)).to.deep.equal([1, 2])
    gate.open()
    expect(await codes.count(1)).to.deep.equal(['LEASE_LOST'])
    expect((await bus.topic('invoices.wanted').stats()).unclaimed).to.equal(0)
  })

  it('longer than its lease keeps its message, since the bus renews', async () => {
    const bus = world.bus()
    const other = world.bus()
    const runs = new Received<number>()
    const ended = new Received<unknown>()
    const slow = async ({ attempt }: { attempt: number }) => {
      runs.add(attempt)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      ended.add(attempt)
    }
    for (const each of [bus, other]) await each.consume('orders.paid', slow, { lease: 500 }).ready
    await bus.publish('orders.paid', 1)
    await ended.count(1)
    await Promise.all([bus.close(), other.close()])
    expect(runs.items).to.deep.equal([1])
  })

  it('that handles slowly does not hoard what others could run', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const hoarding = new Received<unknown>()
    await world.bus().consume(
      'orders.paid',
      async ({ body }) => {
        hoarding.add(body)
        await gate.opened
      },
      { concurrency: 1 },
    ).ready
    await bus.publish('orders.paid', 0)
    await hoarding.count(1)
    const free = new Received<unknown>()
    await world.bus().consume('orders.paid', ({ body }) => free.add(body), { concurrency: 1 }).ready
    for (const n of numbers(20, 1)) await bus.publish('orders.paid', n)
    expect(await free.count(20)).to.deep.equal(numbers(20, 1))
    gate.open()
  })
})
