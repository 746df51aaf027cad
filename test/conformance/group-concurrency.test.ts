import type { Bus, ConsumeOptions } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { deadline } from '../support/deadline.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import type { Worker } from '../support/worker.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

conformance('groupConcurrency', (world) => {
  /** Counts handlers that run at once, over all buses of this process. */
  const watch = () => {
    const seen = { running: 0, most: 0, ended: new Received<unknown>(), started: new Received<unknown>() }
    const handler =
      (work: (body: unknown) => unknown = turn) =>
      async ({ body }: { body: unknown }) => {
        seen.most = Math.max(seen.most, ++seen.running)
        seen.started.add(body)
        try {
          await work(body)
        } finally {
          seen.running--
        }
        seen.ended.add(body)
      }
    return { seen, handler }
  }
  const consumeOn = async (buses: readonly Bus[], handler: (message: never) => unknown, options: ConsumeOptions) => {
    const subscriptions = buses.map((bus) => bus.consume('orders.paid', handler as never, options))
    await Promise.all(subscriptions.map(({ ready }) => ready))
    return subscriptions
  }
  const publish = (bus: Bus, bodies: readonly unknown[]) =>
    bus.publishBatch(
      'orders.paid',
      bodies.map((body) => ({ body })),
    )
  const group = (bus: Bus) => bus.topic('orders.paid').group('test')

  it('is reached and never exceeded, over several consumers, however quick they are', async () => {
    const runs = fc.record({
      limit: fc.integer({ min: 1, max: 7 }),
      consumers: fc.integer({ min: 1, max: 3 }),
      concurrency: fc.integer({ min: 1, max: 8 }),
      work: fc.constantFrom('turns', 'none', 'fails'),
      keys: fc.constantFrom(0, 0, 3),
    })
    let round = 0
    await fc.assert(
      fc.asyncProperty(runs, async ({ limit, consumers, concurrency, work, keys }) => {
        const topic = `orders.${++round}`
        const { seen, handler } = watch()
        const reachable = Math.min(limit, consumers * concurrency, keys || 300)
        const full = new Gate()
        const failed = new Set<unknown>()
        const run = handler(async (body) => {
          if (work !== 'none') {
            // The first wait for each other; how many of those that follow run at once is chance.
            if (seen.running >= reachable) full.open()
            await deadline(full.opened, undefined, () => `${reachable} at once; there are ${seen.running}`)
            for (let i = 0; i < 3; i++) await turn()
          }
          if (work !== 'fails' || failed.has(body) || Number(body) % 5 > 0) return
          failed.add(body)
          throw new Error('once')
        })
        const buses = numbers(consumers).map(() => world.bus())
        const options = { groupConcurrency: limit, concurrency, retry: { delay: 1, jitter: 0 } }
        const subscriptions = buses.map((bus) => bus.consume(topic, run, options))
        await Promise.all(subscriptions.map(({ ready }) => ready))
        const entries = numbers(300).map((body) => (keys > 0 ? { body, key: `key ${body % keys}` } : { body }))
        await world.bus().publishBatch(topic, entries)
        await seen.ended.count(300)
        await Promise.all(buses.map((bus) => bus.close()))
        expect(seen.most).to.be.at.most(limit)
        if (work !== 'none') expect(seen.most, 'reached').to.equal(reachable)
        await namespaceIsClean(world.redis, world.namespace)
      }),
      { numRuns: 15, includeErrorInReport: true },
    )
  })

  it('counts what is leased, so nothing waits unstarted in the place of another', async () => {
    const bus = world.bus()
    const { seen, handler } = watch()
    const stats: number[] = []
    await consumeOn(
      [bus, world.bus()],
      handler(async () => {
        if (seen.started.items.length % 50 === 0) stats.push((await group(bus).stats()).inFlight)
      }),
      { groupConcurrency: 5, lookahead: '10s' },
    )
    for (const n of numbers(10)) await publish(bus, numbers(100, n * 100))
    await seen.ended.count(1000)
    for (const inFlight of stats) expect(inFlight).to.be.at.most(5)
    expect(stats.length).to.be.greaterThan(10)
    expect((await group(bus).stats()).groupConcurrency).to.equal(5)
  })

  it('leaves the places that a hot key cannot use to other keys, and keeps the order of each', async () => {
    const bus = world.bus()
    const { seen, handler } = watch()
    const gate = new Gate()
    const hot = new Received<string>()
    const run = handler(async (body) => {
      if (String(body).startsWith('hot')) hot.add(String(body))
      await gate.opened
    })
    const hotOnes = numbers(200).map((n) => ({ body: `hot ${n}`, key: 'hot' }))
    await bus.publishBatch('orders.paid', hotOnes)
    await bus.publishBatch(
      'orders.paid',
      numbers(50).map((n) => ({ body: `key ${n}`, key: `key ${n}` })),
    )
    const subscriptions = await consumeOn([bus, world.bus()], run, { groupConcurrency: 6, concurrency: 4 })
    await seen.started.count(6)
    expect(hot.items).to.deep.equal(['hot 0'])
    gate.open()
    await seen.ended.count(250)
    expect(hot.items).to.deep.equal(hotOnes.map(({ body }) => body))
    expect(seen.most).to.equal(6)
    for (const subscription of subscriptions) await subscription.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  describe('is changed live', () => {
    /** Handlers that end one by one, when the test says so. */
    const held = () => {
      const { seen, handler } = watch()
      const gates: Gate[] = []
      const run = handler(() => {
        const gate = new Gate()
        gates.push(gate)
        return gate.opened
      })
      return { seen, run, end: (count: number) => gates.splice(0, count).forEach((gate) => void gate.open()) }
    }

    it('up: those that wait take the room at once', async () => {
      const bus = world.bus()
      const { seen, run, end } = held()
      await consumeOn([bus, world.bus()], run, { groupConcurrency: 2 })
      await publish(bus, numbers(20))
      await seen.started.count(2)
      await group(bus).setConcurrency(15)
      await seen.started.count(15)
      await group(bus).setConcurrency(null)
      await seen.started.count(20)
      end(20)
      await seen.ended.count(20)
      expect(await group(bus).stats()).to.not.have.property('groupConcurrency')
    })

    it('down: what runs goes on, and nothing starts before there is room', async () => {
      const bus = world.bus()
      const { seen, run, end } = held()
      await consumeOn([bus, world.bus()], run, { groupConcurrency: 10 })
      await publish(bus, numbers(20))
      await seen.started.count(10)
      await group(bus).setConcurrency(3)
      end(7)
      await seen.ended.count(7)
      await eventually(world, '7 are settled', async () => {
        const { inFlight } = await group(bus).stats()
        return inFlight === 3 ? inFlight : undefined
      })
      expect(seen.started.items).to.have.length(10)
      end(1)
      await seen.started.count(11)
      expect(seen.running).to.equal(3)
      for (let ended = 8; ended < 20; ended++) {
        end(1)
        await seen.ended.count(ended + 1)
        expect(seen.running).to.be.at.most(3)
        if (ended < 19) await seen.started.count(Math.min(20, ended + 4))
      }
    })

    it('from none: what is held ahead is given back, in order', async () => {
      const bus = world.bus()
      const { seen, run, end } = held()
      const quick = new Received<unknown>()
      await consumeOn(
        [bus],
        (({ body }: { body: number }) => (body < 100 ? quick.add(body) : run({ body }))) as never,
        {
          concurrency: 4,
          lookahead: '10s',
        },
      )
      // Quick ones first, so that more is fetched ahead.
      await publish(bus, numbers(100))
      await quick.count(100)
      await publish(bus, numbers(50, 100))
      await seen.started.count(4)
      expect((await group(bus).stats()).inFlight).to.be.greaterThan(10)
      await group(bus).setConcurrency(2)
      end(1)
      await eventually(world, 'what was held ahead is given back', async () => {
        const { inFlight } = await group(bus).stats()
        return inFlight <= 4 ? inFlight : undefined
      })
      while (seen.ended.items.length < 50) {
        end(1)
        await turn()
      }
      expect(seen.started.items).to.deep.equal(numbers(50, 100))
    })
  })

  it('set live survives a reconnect and the return of its consumers; a deployment with another number wins', async () => {
    const proxy = await world.proxy()
    const bus = world.bus({ redis: proxy.redis })
    const { seen, handler } = watch()
    const run = handler()
    const options = { groupConcurrency: 4, lease: 400 }
    const [subscription] = await consumeOn([bus], run, options)
    const admin = world.bus()
    await group(admin).setConcurrency(2)
    proxy.cut()
    await publish(admin, numbers(40))
    await seen.ended.count(40)
    // Its lease is over, and it is fenced off as whoever looks after the group would: it opens a session anew.
    const sessions = (await world.redis.keys(`${world.namespace}:*:sessions`))[0] as string
    const [gone = ''] = await world.redis.zrange(sessions, '0', '-1')
    await world.redis
      .multi()
      .zrem(sessions, gone)
      .rpush(sessions.replace(/sessions$/, 'expired'), gone)
      .exec()
    await publish(admin, numbers(40))
    await seen.ended.count(80)
    expect(await world.redis.zrange(sessions, '0', '-1')).to.not.include(gone)
    expect((await group(admin).stats()).groupConcurrency).to.equal(2)
    await subscription?.close()
    const second = world.bus()
    await second.consume('orders.paid', run, options).ready
    expect((await group(admin).stats()).groupConcurrency, 'the option that was there before').to.equal(2)
    await second.close()
    await world.bus().consume('orders.paid', run, { groupConcurrency: 7 }).ready
    expect((await group(admin).stats()).groupConcurrency).to.equal(7)
    await publish(admin, numbers(100))
    await seen.ended.count(180)
    expect(seen.most).to.be.at.most(7)
  })

  it('refuses what is no limit', async () => {
    const bus = world.bus()
    await bus.consume('orders.paid', () => undefined).ready
    for (const limit of [0, -1, 1.5, '3', Number.NaN, undefined]) {
      const error = await group(bus)
        .setConcurrency(limit as number)
        .then(() => undefined)
        .catch((caught: { code: string; message: string }) => caught)
      expect(error).to.include({ code: 'INVALID_OPTIONS' })
      expect(error?.message).to.contain('groupConcurrency')
    }
    const unknown = await bus
      .topic('orders.paid')
      .group('tset')
      .setConcurrency(1)
      .catch((caught: { code: string }) => caught)
    expect(unknown).to.include({ code: 'UNKNOWN_GROUP' })
  })
})

conformance('groupConcurrency over processes that are killed with kill -9', (world) => {
  const LIMIT = 3
  /** So long that a busy machine takes no live worker for dead: what that still ran would be counted with what runs in its place. */
  const LEASE_MS = 2500

  interface Recorded {
    /** The most that ran at once. */
    most: number
    /** The same, after the last that was killed. */
    mostSince: number
    started: string[]
    ended: string[]
  }
  const replay = async (list: string): Promise<Recorded> => {
    const running = new Map<string, string>()
    const seen: Recorded = { most: 0, mostSince: 0, started: [], ended: [] }
    for (const entry of await world.redis.lrange(list, 0, -1)) {
      const [what, id = '', pid = ''] = entry.split(' ')
      if (what === 'start') {
        expect(running.has(id), `${id} runs twice at once`).to.equal(false)
        running.set(id, pid)
        seen.started.push(id)
      } else if (what === 'end') {
        running.delete(id)
        seen.ended.push(id)
      } else {
        // What its process ran is over.
        for (const [each, of] of running) if (of === pid) running.delete(each)
        seen.mostSince = 0
      }
      seen.most = Math.max(seen.most, running.size)
      seen.mostSince = Math.max(seen.mostSince, running.size)
    }
    return seen
  }
  /** `kill -9`, and a note of what its end ended. */
  const kill = async (worker: Worker, list: string) => {
    await worker.kill()
    await world.redis.rpush(list, `killed - ${worker.pid}`)
  }

  it('is reached and never exceeded, before, while and after', async function () {
    this.timeout(60_000)
    const list = `recorded:${world.namespace}`
    const publisher = world.bus()
    const consume = { group: 'ledger', concurrency: 3, groupConcurrency: LIMIT, lease: LEASE_MS }
    const workers = await Promise.all(
      numbers(3).map(() =>
        world.worker({ topic: 'orders.paid', behaviour: 'ack', workMs: 15, recordTo: list, consume }),
      ),
    )
    const keyOf = (n: number) => (n % 3 === 0 ? { key: n % 2 ? 'hot' : `key ${n}` } : {})
    const receipts = await publisher.publishBatch(
      'orders.paid',
      // So many that some are left when the limit is theirs again.
      numbers(1_000).map((n) => ({ body: n, ...keyOf(n) })),
    )
    /** Until so many more runs have begun and ended, by whomever. */
    const runs = async (count: number) => {
      const before = await world.redis.llen(list)
      await eventually(world, `${count} runs`, async () =>
        (await world.redis.llen(list)) >= before + 2 * count ? true : undefined,
      )
    }
    await runs(40)
    for (let left = 2; left > 0; left--) {
      const [busiest] = [...workers].sort((a, b) => b.of('started').length - a.of('started').length) as [Worker]
      await kill(busiest, list)
      workers.splice(workers.indexOf(busiest), 1)
      // What it held is given to the others, and the limit is theirs again.
      await runs(60)
    }
    const [last] = workers as [Worker]
    await eventually(world, 'all settled', async () => {
      const { ready, held, inFlight, retrying } = await publisher.topic('orders.paid').group('ledger').stats()
      return ready + held + inFlight + retrying === 0 ? true : undefined
    })
    last.tell({ do: 'close' })
    await last.ended
    const seen = await replay(list)
    expect(seen.most).to.equal(LIMIT)
    expect(seen.mostSince, 'reached by those that are left').to.equal(LIMIT)
    expect(new Set(seen.ended)).to.deep.equal(new Set(receipts.map(({ id }) => id)))
    const hot = receipts.filter((_, n) => 'key' in keyOf(n) && n % 2).map(({ id }) => id)
    const firstEnds = [...new Set(seen.ended.filter((id) => hot.includes(id)))]
    expect(firstEnds, 'the order of the hot key').to.deep.equal(hot)
    await world.redis.del(list)
    await publisher.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('is held for what a message does that kills its process, until it is a dead letter', async function () {
    this.timeout(60_000)
    const publisher = world.bus()
    const consume = { group: 'ledger', concurrency: 2, groupConcurrency: 2, lease: 2000, maxCrashes: 2 }
    const workers: Worker[] = []
    const start = async () => {
      const list = `recorded:${world.namespace}`
      workers.push(
        await world.worker({ topic: 'orders.paid', behaviour: 'poison', workMs: 5, recordTo: list, consume }),
      )
    }
    await Promise.all([start(), start(), start()])
    const bodies = numbers(60).map((n) => ({ n, ...(n === 20 && { poison: true }) }))
    await publisher.publishBatch(
      'orders.paid',
      bodies.map((body) => ({ body })),
    )
    const stats = await eventually(
      world,
      'all but the poison settled',
      async () => {
        const { ready, inFlight, retrying, dead } = await publisher.topic('orders.paid').group('ledger').stats()
        return ready + inFlight + retrying === 0 && dead === 1 ? { dead } : undefined
      },
      40_000,
    )
    expect(stats.dead).to.equal(1)
    expect(workers.filter(({ running }) => running)).to.have.length(1)
    await world.redis.del(`recorded:${world.namespace}`)
  })
})
