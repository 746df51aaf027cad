import { createBus, defineTopics, type StandardSchemaV1, type } from '@busway/bus'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, type World } from '../support/world.js'
import { conformance } from './suite.js'

const TOPIC = 'orders.paid'
const numbers = (count: number): number[] => [...Array(count).keys()]
const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )

conformance("waiting for a message's end", (world: World) => {
  const key = (name: string) => `${world.namespace}:{${TOPIC}}:${name}`
  const listeners = async () => Number((await world.redis.pubsub('NUMSUB', key('events')))[1])
  const inFlight = (count: number, group = 'test') =>
    eventually(world, `${count} in flight`, async () => {
      const { groups } = await world.bus().topic(TOPIC).stats()
      return groups[group]?.inFlight === count ? true : undefined
    })
  const nextMillisecond = async () => {
    const millisecond = async () => {
      const [seconds, micros] = await world.redis.time()
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
    }
    const last = await millisecond()
    while ((await millisecond()) === last);
  }
  const gone = (id: string) =>
    eventually(world, `the end of ${id}`, async () => {
      const pending = await world.redis.hgetall(key('pending'))
      return Object.keys(pending).length === 0 ? true : undefined
    })

  describe('resolves', () => {
    it('with what the handler returns, asked before it begins, from another process', async function () {
      this.timeout(60_000)
      const bus = world.bus()
      const { id } = await bus.publish(TOPIC, { n: 1 })
      const end = bus.topic(TOPIC).settled(id, { timeout: '30s' })
      await eventually(world, 'somebody to listen', async () => ((await listeners()) > 0 ? true : undefined))
      const worker = await world.worker({ topic: TOPIC, behaviour: 'answer' })
      expect(await end).to.deep.equal({
        id,
        group: 'worker',
        outcome: 'done',
        result: { body: { n: 1 }, by: worker.pid },
      })
    })

    it('with what it returns, asked while it runs, though nobody watched when it was taken', async () => {
      const bus = world.bus()
      const [gate, started] = [new Gate(), new Received<unknown>()]
      const busy = async () => {
        started.add('the run')
        await gate.opened
        return { price: 42 }
      }
      bus.consume(TOPIC, busy, { concurrency: 1 })
      await bus.consume('another', () => started.add('another')).ready
      const { id } = await bus.publish(TOPIC, 1)
      await started.count(1)
      const end = world.bus().topic(TOPIC).settled(id)
      await eventually(world, 'it to be watched', async () =>
        (await world.redis.hget(key('meta'), 'watched')) === null ? undefined : true,
      )
      // Woken on the same connection, so the news that somebody watches is there.
      await bus.publish('another', 1)
      await started.count(2)
      gate.open()
      expect(await end).to.deep.equal({ id, group: 'test', outcome: 'done', result: { price: 42 } })
    })

    it('with what was kept, asked long after, and nobody listens for it', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, ({ body }) => body)
      const { id } = await bus.publish(TOPIC, { n: 7 }, { keepResult: '1h' })
      await gone(id)
      const end = await world.bus().topic(TOPIC).settled(id)
      expect(end).to.deep.equal({ id, group: 'test', outcome: 'done', result: { n: 7 } })
      expect(await listeners()).to.equal(0)
      expect(await world.redis.pttl(key(`result:${id}`))).to.be.within(3_500_000, 3_600_000)
      await bus.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('of each of many, whenever it ends and whenever it is asked', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, async ({ body }) => {
        if ((body as number) % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
        return body
      })
      const ends = numbers(300).map(async (n) => {
        const { id } = await bus.publish(
          TOPIC,
          n,
          n % 2 ? { id: `order-${n}`, keepResult: '1m' } : { keepResult: '1m' },
        )
        if (n % 5 === 0) await gone(id)
        return (await bus.topic(TOPIC).settled(id)).result
      })
      expect(await Promise.all(ends)).to.deep.equal(numbers(300))
    })

    it('without a result, if there is none; with why, if it cannot be told', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, ({ body }) => (body === 'large' ? 'x'.repeat(300_000) : undefined))
      const end = async (body: string) =>
        bus.topic(TOPIC).settled((await bus.publish(TOPIC, body, { keepResult: '1m' })).id)
      expect(await end('nothing'))
        .to.include({ outcome: 'done' })
        .and.not.have.any.keys('result', 'error')
      expect(await end('large'))
        .to.have.nested.property('error.message')
        .that.contains('300002 bytes')
    })

    it('with the error of a message that died, whether it was waited for or is a dead letter', async () => {
      const bus = world.bus()
      bus.consume(TOPIC, ({ attempt }) => Promise.reject(new RangeError(`no ${attempt}`)), {
        retry: { attempts: 2, delay: 1 },
      })
      const { id } = await bus.publish(TOPIC, 1)
      const waited = await bus.topic(TOPIC).settled(id)
      expect(waited).to.deep.include({ id, group: 'test', outcome: 'dead' })
      expect(waited.error).to.include({ name: 'RangeError', message: 'no 2' })
      expect(await world.bus().topic(TOPIC).settled(id)).to.deep.equal(waited)
    })

    it('with expired, purged and removed', async () => {
      const bus = world.bus()
      const group = bus.topic(TOPIC).group('test')
      const subscription = bus.consume(TOPIC, () => 1)
      await subscription.ready
      await subscription.close()
      const outcome = async (options: object, work: () => Promise<unknown>) => {
        const { id } = await bus.publish(TOPIC, 1, options)
        const end = bus.topic(TOPIC).settled(id)
        await eventually(world, 'somebody to listen', async () => ((await listeners()) > 0 ? true : undefined))
        await work()
        return (await end).outcome
      }
      expect(await outcome({}, () => group.purge())).to.equal('purged')
      expect(await outcome({}, () => group.remove())).to.equal('removed')
      await bus.consume(TOPIC, () => 1).ready
      const { id } = await bus.publish(TOPIC, 1, { expiresIn: 1, delay: 20 })
      expect((await bus.topic(TOPIC).settled(id)).outcome).to.equal('expired')
    })

    it('by the group that is named, else by the first to end it', async () => {
      const bus = world.bus()
      const gate = new Gate()
      await bus.consume(TOPIC, () => 'fast', { group: 'fast' }).ready
      await bus.consume(TOPIC, () => gate.opened.then(() => 'slow'), { group: 'slow' }).ready
      const { id } = await bus.publish(TOPIC, 1, { keepResult: '1m' })
      const { settled } = bus.topic(TOPIC)
      const slow = settled(id, { group: 'slow' })
      expect(await settled(id)).to.include({ group: 'fast', result: 'fast' })
      expect(await settled(id, { group: 'fast' })).to.include({ group: 'fast', result: 'fast' })
      await nextMillisecond()
      gate.open()
      expect(await slow).to.include({ group: 'slow', result: 'slow' })
      expect(await settled(id), 'the first of both').to.include({ group: 'fast' })
      expect(await settled(id, { group: 'slow' })).to.include({ result: 'slow' })
    })

    it('when its connections are back, if it ended meanwhile', async () => {
      const proxy = await world.proxy()
      const asking = world.bus({ redis: proxy.redis })
      const bus = world.bus()
      const gate = new Gate()
      bus.consume(TOPIC, () => gate.opened.then(() => 'result'))
      const { id } = await bus.publish(TOPIC, 1, { keepResult: '1m' })
      const end = asking.topic(TOPIC).settled(id)
      await eventually(world, 'somebody to listen', async () => ((await listeners()) > 0 ? true : undefined))
      await proxy.down()
      while ((await listeners()) > 0);
      gate.open()
      await gone(id)
      await proxy.up()
      expect(await end).to.include({ outcome: 'done', result: 'result' })
    })

    it("with what the topic's reply schema makes of the result", async () => {
      const date: StandardSchemaV1<unknown, Date> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) =>
            typeof value === 'string' ? { value: new Date(value) } : { issues: [{ message: 'is no date' }] },
        },
      }
      const topics = defineTopics({ now: { body: type<{ zone: string }>(), reply: date } })
      const { server, namespace } = world
      await using bus = createBus({ service: 'test', topics, redis: server.url, namespace, logger: false })
      const answers: unknown[] = [new Date(0), 7]
      bus.consume('now', () => answers.shift() as Date)
      const end = async () =>
        bus.topic('now').settled((await bus.publish('now', { zone: 'UTC' }, { keepResult: '1m' })).id)
      expect((await end()).result satisfies Date | undefined).to.deep.equal(new Date(0))
      expect(await failure(end())).to.include({ code: 'REQUEST_FAILED' })
    })
  })

  describe('rejects', () => {
    it('where the message is not there and nothing was kept, saying whether it had been', async () => {
      const bus = world.bus()
      const gate = new Gate()
      await bus.consume(TOPIC, () => 1, { group: 'fast' }).ready
      await bus.consume(TOPIC, () => gate.opened, { group: 'slow' }).ready
      const { settled } = bus.topic(TOPIC)
      const never = await failure(settled('nobody'))
      expect(never).to.include({ code: 'UNKNOWN_MESSAGE' })
      expect(never.message).to.contain('orders.paid has no message "nobody"')
      const { id } = await bus.publish(TOPIC, 1)
      await eventually(world, 'one group to be done', async () => {
        const { ready, inFlight } = await bus.topic(TOPIC).group('fast').stats()
        return ready + inFlight === 0 ? true : undefined
      })
      const before = await failure(settled(id, { group: 'fast' }))
      expect(before.message).to.contain(`had ended before (in fast)`)
      gate.open()
      await gone(id)
      expect(await failure(settled(id))).to.include({ code: 'UNKNOWN_MESSAGE' })
    })

    it('after its timeout, when it has not ended, and of a group that is not there', async () => {
      const bus = world.bus()
      const { settled } = bus.topic(TOPIC)
      const { id } = await bus.publish(TOPIC, 1)
      const error = await failure(settled(id, { timeout: '50ms' }))
      expect(error).to.include({ code: 'SETTLED_TIMEOUT' })
      expect(error.message).to.match(/ had not ended within 50 ms\. Raise the timeout/)
      expect((await failure(settled(id, { timeout: '50ms', group: 'nobody' }))).message).to.contain(
        'in the group nobody',
      )
    })

    it('with what is known of a Redis that cannot be reached', async () => {
      const proxy = await world.proxy()
      await proxy.down()
      const error = await failure(world.bus({ redis: proxy.redis }).topic(TOPIC).settled('a', { timeout: 100 }))
      expect(error.code).to.be.oneOf(['REDIS_UNAVAILABLE', 'SETTLED_TIMEOUT'])
      expect(error.message).to.match(/cannot be reached|has not answered/)
    })

    it('with its signal, with a wrong option, and with its bus', async () => {
      const bus = world.bus()
      const { settled } = bus.topic(TOPIC)
      const { id } = await bus.publish(TOPIC, 1)
      const controller = new AbortController()
      const aborted = failure(settled(id, { signal: controller.signal }))
      controller.abort(new Error('enough'))
      expect((await aborted).message).to.equal('enough')
      expect((await failure(settled(id, { signal: controller.signal }))).message).to.equal('enough')
      expect(await failure(settled(id, { timeout: 0 }))).to.include({ code: 'INVALID_OPTIONS' })
      expect(await failure(settled(id, { group: 'a b' }))).to.include({ code: 'INVALID_GROUP' })
      expect((await failure(settled(id, { timout: 1 } as object))).message).to.match(/timout/)
      expect(await failure(settled('', {}))).to.include({ code: 'INVALID_OPTIONS' })
      expect(await failure(settled(7 as never))).to.include({ code: 'INVALID_OPTIONS' })
      const open = failure(settled(id))
      await bus.close()
      expect(await open).to.include({ code: 'BUS_CLOSED' })
      expect(await failure(settled(id))).to.include({ code: 'BUS_CLOSED' })
    })
  })

  it('shares one subscription, and leaves nothing behind when its bus closes', async () => {
    const bus = world.bus()
    const gate = new Gate()
    bus.consume(TOPIC, ({ body }) => gate.opened.then(() => body), { concurrency: 100 })
    const ids = await Promise.all(numbers(100).map((n) => bus.publish(TOPIC, n)))
    const ends = ids.map(({ id }) => bus.topic(TOPIC).settled(id))
    await eventually(world, 'somebody to listen', async () => ((await listeners()) > 0 ? true : undefined))
    expect(await listeners()).to.equal(1)
    await inFlight(100)
    gate.open()
    expect((await Promise.all(ends)).map(({ outcome }) => outcome)).to.deep.equal(Array(100).fill('done'))
    await bus.close()
    expect([await listeners(), await world.redis.hget(key('meta'), 'watched')]).to.deep.equal([0, null])
    await namespaceIsClean(world.redis, world.namespace)
  })
})
