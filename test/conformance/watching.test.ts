import type { Bus, TopicEvent, TopicEvents } from '@busway/bus'
import { expect } from 'chai'
import { connectionsOf } from '../support/connections.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { seen } from '../support/seen.js'
import { namespaceIsClean, type World } from '../support/world.js'
import { conformance } from './suite.js'

const TOPIC = 'orders.paid'
const numbers = (count: number): number[] => [...Array(count).keys()]

/** Reads on, until the events end. */
function reading(events: TopicEvents): Received<TopicEvent> {
  const received = new Received<TopicEvent>()
  void (async () => {
    for await (const event of events) received.add(event)
  })()
  return received
}

/** What is the same each time that it happens. */
const plain = (event: TopicEvent): Record<string, unknown> => {
  const { time, ...rest } = event
  expect(time).to.be.instanceOf(Date)
  return rest
}

conformance('watching a topic', (world: World) => {
  const key = (name: string) => `${world.namespace}:{${TOPIC}}:${name}`
  const isWatched = async () => (await world.redis.hget(key('meta'), 'watched')) !== null
  const listeners = async () => Number((await world.redis.pubsub('NUMSUB', key('events')))[1])
  /** Events that are heard from now on. */
  const watching = async (bus: Bus, options?: { buffer?: number }): Promise<TopicEvents> => {
    const events = bus.events(TOPIC, options)
    await events.ready
    return events
  }
  const allDone = (bus: Bus, group = 'test') =>
    eventually(world, 'all to be settled', async () => {
      const { ready, inFlight, retrying } = await bus.topic(TOPIC).group(group).stats()
      return ready + inFlight + retrying === 0 ? true : undefined
    })

  describe('gives', () => {
    it('what handlers return, throw and say, in each group, whichever bus handles it', async () => {
      const [watcher, worker] = [world.bus(), world.bus()]
      await worker.consume(TOPIC, ({ body }) => ({ got: body }), { group: 'ledger' }).ready
      await worker.consume(
        TOPIC,
        ({ attempt }, ctx) => {
          ctx.progress({ attempt })
          throw Object.assign(new RangeError(`no ${attempt}`), { code: 'E_NO' })
        },
        { group: 'mail', retry: { attempts: 2, delay: 1 } },
      ).ready
      const heard = reading(await watching(watcher))
      const { id } = await world.bus().publish(TOPIC, { n: 1 })
      await heard.count(5)
      const of = (group: string) => heard.items.filter((event) => 'group' in event && event.group === group)
      expect(of('ledger').map(plain)).to.deep.equal([
        { type: 'settled', topic: TOPIC, group: 'ledger', id, outcome: 'done', attempt: 1, result: { got: { n: 1 } } },
      ])
      const said = { topic: TOPIC, group: 'mail', id }
      const [first, failed, second, dead] = of('mail')
      expect(plain(first as TopicEvent)).to.deep.equal({ type: 'progress', ...said, attempt: 1, value: { attempt: 1 } })
      expect(failed).to.deep.include({ type: 'retried', ...said, attempt: 1 })
      expect(failed).to.have.property('error').that.includes({ name: 'RangeError', message: 'no 1', code: 'E_NO' })
      expect(failed).to.have.property('dueAt').that.is.instanceOf(Date)
      expect(second).to.deep.include({ type: 'progress', attempt: 2 })
      expect(dead).to.deep.include({ type: 'dead', ...said, attempt: 2, reason: 'attempts' })
      expect(dead).to.have.property('error').that.includes({ message: 'no 2' })
    })

    it('what happens in other processes, and what became of a run whose process was killed', async function () {
      this.timeout(60_000)
      const watcher = world.bus()
      const heard = reading(await watching(watcher))
      const setup = { topic: TOPIC, behaviour: 'answer', consume: { lease: 1000 } } as const
      const first = await world.worker(setup)
      const { id } = await watcher.publish(TOPIC, { n: 1, hold: true })
      await first.until('started')
      await seen(world, TOPIC, 'worker')
      await first.kill()
      const second = await world.worker(setup)
      await second.until('started')
      second.tell({ do: 'release' })
      await heard.count(2)
      const [crashed, done] = heard.items
      expect(crashed).to.deep.include({ type: 'retried', id, group: 'worker', attempt: 1 })
      expect(done).to.deep.include({ type: 'settled', id, outcome: 'done', attempt: 2 })
      expect(done).to.have.nested.property('result.by', second.pid)
    })

    it('a batch of 128 one message after the other, in their order', async () => {
      const bus = world.bus()
      const heard = reading(await watching(bus))
      const receipts = await bus.publishBatch(
        TOPIC,
        numbers(128).map((body) => ({ body })),
      )
      bus.consume(TOPIC, () => {}, { concurrency: 1 })
      await heard.count(128)
      expect(heard.items.map((event) => 'id' in event && event.id)).to.deep.equal(receipts.map(({ id }) => id))
      expect(new Set(heard.items.map((event) => event.type))).to.deep.equal(new Set(['settled']))
    })

    it('what administration does: purged, dead, redriven, removed', async () => {
      const bus = world.bus()
      const group = bus.topic(TOPIC).group('test')
      const subscription = bus.consume(TOPIC, () => Promise.reject(new Error('no')), { retry: false })
      await subscription.ready
      const heard = reading(await watching(bus))
      const { id } = await bus.publish(TOPIC, 1)
      await heard.count(1)
      await subscription.close()
      await group.redrive('all')
      await group.purge()
      await bus.publish(TOPIC, 2)
      await group.remove()
      await heard.count(4)
      expect(heard.items.map((event) => [event.type, 'outcome' in event && event.outcome])).to.deep.equal([
        ['dead', false],
        ['redriven', false],
        ['settled', 'purged'],
        ['settled', 'removed'],
      ])
      expect(heard.items.slice(0, 3).every((event) => 'id' in event && event.id === id)).to.equal(true)
    })

    it('the same to each of several readers, of one bus and of others', async () => {
      const [one, other] = [world.bus(), world.bus()]
      const readers = [await watching(one), await watching(one), await watching(other)].map(reading)
      one.consume(TOPIC, () => 'done')
      const { id } = await one.publish(TOPIC, 1)
      for (const heard of readers) expect((await heard.count(1))[0]).to.include({ type: 'settled', id, result: 'done' })
    })

    it('no result that cannot be told, but why', async () => {
      const bus = world.bus()
      const heard = reading(await watching(bus))
      bus.consume(TOPIC, () => 'x'.repeat(300_000))
      await bus.publish(TOPIC, 1)
      const [done] = await heard.count(1)
      expect(done).to.include({ type: 'settled', outcome: 'done' })
      expect(done).to.not.have.property('result')
      expect(done).to.have.nested.property('error.message').that.contains('300002 bytes')
    })
  })

  describe('progress', () => {
    it('comes before the end, the last of it in any case, however often it is said', async () => {
      const bus = world.bus()
      const heard = reading(await watching(bus))
      bus.consume(TOPIC, (_, { progress }) => {
        for (const n of numbers(1_000)) progress(n)
      })
      await bus.publish(TOPIC, 1)
      await heard.first(({ type }) => type === 'settled')
      const values = heard.items.flatMap((event) => (event.type === 'progress' ? [event.value] : []))
      expect(values).to.deep.equal([0, 999])
      expect(heard.items.at(-1)).to.include({ type: 'settled' })
    })

    it('is told of a message whose run had begun before anybody watched', async () => {
      const bus = world.bus()
      const [gate, started] = [new Gate(), new Received<unknown>()]
      const busy = async (_: unknown, ctx: { progress(value: unknown): void }) => {
        started.add('the run')
        await gate.opened
        ctx.progress('late')
        return 'result'
      }
      bus.consume(TOPIC, busy, { concurrency: 1 })
      await bus.consume('another', () => started.add('another')).ready
      await bus.publish(TOPIC, 1)
      await started.count(1)
      const heard = reading(await watching(world.bus()))
      // Woken on the same connection, so the news that somebody watches is there.
      await bus.publish('another', 1)
      await started.count(2)
      gate.open()
      await heard.count(2)
      expect(heard.items[0]).to.include({ type: 'progress', value: 'late' })
      expect(heard.items[1]).to.include({ type: 'settled', result: 'result' })
    })

    it('that is no JSON fails the handler, watched or not', async () => {
      const bus = world.bus()
      const fail = (_: unknown, ctx: { progress(value: unknown): void }) => ctx.progress(1n)
      await bus.consume(TOPIC, fail, { retry: false }).ready
      await bus.publish(TOPIC, 1)
      const group = bus.topic(TOPIC).group('test')
      const [letter] = await eventually(world, 'a dead letter', async () => {
        const { items } = await group.deadLetters()
        return items.length > 0 ? items : undefined
      })
      expect(letter?.error.message).to.match(/^ctx\.progress: the value cannot be written as JSON/)
    })
  })

  describe('a reader', () => {
    it('that is slow is told how many it missed, and goes on with the newest', async () => {
      const bus = world.bus()
      const fast = reading(await watching(bus))
      const slow = await watching(bus, { buffer: 10 })
      bus.consume(TOPIC, ({ body }) => body, { concurrency: 1 })
      for (const n of numbers(100)) await bus.publish(TOPIC, n)
      await fast.count(100)
      expect((await slow.next()).value).to.include({ type: 'missed', topic: TOPIC, count: 90 })
      const rest = []
      for (let i = 0; i < 10; i++) rest.push((await slow.next()).value)
      expect(rest.map((event) => event?.type === 'settled' && event.result)).to.deep.equal(numbers(100).slice(90))
      await slow.close()
    })

    it('whose connection was cut goes on, and is told that something may be missing', async () => {
      const proxy = await world.proxy()
      const watcher = world.bus({ redis: proxy.redis })
      const bus = world.bus()
      bus.consume(TOPIC, ({ body }) => body)
      const heard = reading(await watching(watcher))
      for (const n of [1, 2, 3]) {
        const before = heard.items.length
        const back = proxy.connected()
        proxy.cut('subscribers')
        await back
        await heard.until((events) => events.slice(before).some(({ type }) => type === 'missed'), 'a word of it')
        await eventually(world, 'it to be watched again', async () => ((await isWatched()) ? true : undefined))
        await bus.publish(TOPIC, n)
        await heard.first((event) => event.type === 'settled' && event.result === n)
      }
      expect(heard.items.filter((event) => event.type === 'missed' && event.count !== undefined)).to.deep.equal([])
    })

    it('that listens across a restart of everything goes on too', async () => {
      const proxy = await world.proxy()
      const watcher = world.bus({ redis: proxy.redis })
      const heard = reading(await watching(watcher))
      await proxy.down()
      await world.redis.hdel(key('meta'), 'watched')
      await proxy.up()
      await heard.first(({ type }) => type === 'missed')
      await eventually(world, 'it to be watched again', async () => ((await isWatched()) ? true : undefined))
      const bus = world.bus()
      bus.consume(TOPIC, () => 1)
      await bus.publish(TOPIC, 1)
      await heard.first(({ type }) => type === 'settled')
    })

    it('that leaves its loop costs nothing any more', async () => {
      const bus = world.bus()
      const subscription = bus.consume(TOPIC, ({ body }) => body)
      await subscription.ready
      const seen: unknown[] = []
      const events = await watching(world.bus())
      await bus.publish(TOPIC, 1)
      for await (const event of events) {
        seen.push(event.type)
        break
      }
      expect(seen).to.deep.equal(['settled'])
      expect([await listeners(), await isWatched()]).to.deep.equal([0, false])
      expect((await events.next()).done).to.equal(true)
      const published = async () =>
        Number(/cmdstat_publish:calls=(\d+)/.exec(await world.redis.info('commandstats'))?.[1] ?? 0)
      // The consumer has learnt it with its next reply.
      await bus.publish(TOPIC, 2)
      await allDone(bus)
      await subscription.close()
      const before = await published()
      await bus.publish(TOPIC, 3)
      expect(await published()).to.equal(before)
      await bus.topic(TOPIC).group('test').purge()
    })

    it('that is not the last leaves the others what they have', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, () => {})
      const [one, two, three] = [await watching(bus), await watching(bus), await watching(world.bus())]
      await one.close()
      await two.close()
      expect([await listeners(), await isWatched()]).to.deep.equal([1, true])
      const heard = reading(three)
      await bus.publish(TOPIC, 1)
      await heard.count(1)
      await three.close()
      expect([await listeners(), await isWatched()]).to.deep.equal([0, false])
    })

    it('may come back at once, while another of its bus leaves', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, ({ body }) => body)
      for (const n of numbers(20)) {
        const events = bus.events(TOPIC)
        if (n % 3 > 0) await events.ready
        const leaving = events.close()
        if (n % 2) await leaving
        const again = bus.events(TOPIC)
        await again.ready
        await bus.publish(TOPIC, n)
        expect((await again.next()).value).to.include({ type: 'settled', result: n })
        await again.close()
        await leaving
      }
      expect([await listeners(), await isWatched()]).to.deep.equal([0, false])
    })

    it('comes to its end with its bus, having been told of what that settled last', async () => {
      const bus = world.bus()
      const gate = new Gate()
      const started = new Received<unknown>()
      bus.consume(TOPIC, async ({ body }) => {
        started.add(body)
        await gate.opened
        return 'last'
      })
      const heard: TopicEvent[] = []
      const events = await watching(bus)
      const loop = (async () => {
        for await (const event of events) heard.push(event)
      })()
      await bus.publish(TOPIC, 1)
      await started.count(1)
      const closing = bus.close()
      gate.open()
      await closing
      await loop
      expect(heard.map((event) => event.type === 'settled' && event.result)).to.deep.equal(['last'])
      expect(() => bus.events(TOPIC)).to.throw('closed')
    })

    it('waits for a Redis that is not there yet, and may give up', async () => {
      const proxy = await world.proxy()
      await proxy.down()
      const watcher = world.bus({ redis: proxy.redis })
      const given = watcher.events(TOPIC)
      await given.close()
      expect(await given.ready.catch((error) => error.code)).to.equal('BUS_CLOSED')
      const events = watcher.events(TOPIC)
      const heard = reading(events)
      await proxy.up()
      await events.ready
      const bus = world.bus()
      bus.consume(TOPIC, () => 1)
      await bus.publish(TOPIC, 1)
      await heard.count(1)
    })

    it('is refused with a wrong option, and over a pattern', () => {
      const bus = world.bus()
      const code = (call: () => unknown) => {
        try {
          return call()
        } catch (error) {
          return (error as { code?: unknown }).code
        }
      }
      expect(code(() => bus.events(TOPIC, { buffer: 0 }))).to.equal('INVALID_OPTIONS')
      expect(code(() => bus.events(TOPIC, { bufer: 1 } as object))).to.equal('INVALID_OPTIONS')
      expect(code(() => bus.events('orders.*'))).to.equal('INVALID_TOPIC')
      expect(code(() => bus.events('orders paid'))).to.equal('INVALID_TOPIC')
    })
  })

  it('needs no third connection, and leaves nothing behind', async () => {
    const bus = world.bus({ service: 'counted' })
    bus.consume(TOPIC, ({ body }, ctx) => {
      ctx.progress(body)
      return body
    })
    const events = await watching(bus)
    const heard = reading(events)
    await Promise.all(numbers(300).map((n) => bus.publish(TOPIC, n)))
    await heard.until((all) => all.filter(({ type }) => type === 'settled').length === 300, 'all ends')
    expect(Math.max(...(await connectionsOf(world, 'counted')))).to.equal(2)
    await bus.close()
    expect([await listeners(), await isWatched()]).to.deep.equal([0, false])
    await namespaceIsClean(world.redis, world.namespace)
  })
})
