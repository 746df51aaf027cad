/** Ending what a topic has: what no group has yet, or all of it. */

import { type Bus, createBus, defineTopics, type } from '@busway/bus'
import { compose, deleteTopic } from '@busway/lua'
import { expect } from 'chai'
import { equipped, extra, plugin } from '../plugins/equipped.js'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const TOPIC = 'orders.paid'

const refused = (call: Promise<unknown>): Promise<{ code: string; message: string; details?: object }> =>
  call.then(
    () => ({ code: 'resolved', message: '' }),
    (error) => error,
  )

describe('a topic', () => {
  const w = world()
  const topic = () => w.bus().topic(TOPIC)
  const keys = async () =>
    (await w.redis.keys(`${w.namespace}:{${TOPIC}}:*`)).map((key) => key.split('}:')[1] as string).sort()
  /** Nothing but what goes by itself. */
  const isGone = async () => {
    const left = await keys()
    expect(left.filter((name) => !name.startsWith('p:'))).to.deep.equal(['groups'])
    for (const name of left) expect(await w.redis.ttl(`${w.namespace}:{${TOPIC}}:${name}`), name).to.be.greaterThan(0)
    expect(await w.bus().topics()).to.not.include(TOPIC)
    expect(await topic().stats()).to.deep.equal({ scheduled: 0, unclaimed: 0, outbox: 0, groups: {} })
  }
  const consuming = async (bus: Bus, handler: (body: unknown) => unknown = () => undefined, options: object = {}) => {
    const subscription = bus.consume(TOPIC, ({ body }) => handler(body), options)
    await subscription.ready
    return subscription
  }
  const many = (count: number, more: object = {}) => Array.from({ length: count }, (_, body) => ({ body, ...more }))

  describe('whose scheduled messages are purged', () => {
    it('keeps all others, and has room for the same again', async () => {
      const bus = w.bus()
      await bus.publish(TOPIC, 'waits')
      await bus.publishBatch(TOPIC, many(700, { delay: '1h' }))
      await bus.publishBatch(TOPIC, many(500, { delay: '2h' }))
      await bus.publish(TOPIC, 'mine', { id: 'mine', delay: '1h', key: 'k' })
      expect(await topic().purge({ state: 'scheduled' })).to.equal(1_201)
      expect(await topic().stats()).to.include({ scheduled: 0, unclaimed: 1 })
      expect(await bus.publish(TOPIC, 'mine', { id: 'mine', delay: '1h', key: 'k' })).to.include({ status: 'accepted' })
      expect(await topic().purge({ state: 'scheduled' })).to.equal(1)
      expect(await topic().purge({ state: 'scheduled' })).to.equal(0)
    })

    it('keeps those of a group that has them already', async () => {
      const bus = w.bus()
      const got = new Received<unknown>()
      const subscription = await consuming(bus, (body) => got.add(body))
      await bus.publish(TOPIC, 'soon', { delay: 20 })
      await got.count(1)
      await bus.publishBatch(TOPIC, many(3, { delay: '1h' }))
      await bus.publish(TOPIC, 'now')
      await got.count(2)
      expect(await topic().purge({ state: 'scheduled' })).to.equal(3)
      await subscription.close()
      await namespaceIsClean(w.redis, w.namespace)
    })
  })

  describe('whose unclaimed messages are purged', () => {
    it('has nothing for its first group, whatever they were', async () => {
      const bus = w.bus()
      await bus.publishBatch(TOPIC, many(600))
      for (const key of ['a', 'b']) for (let n = 0; n < 5; n++) await bus.publish(TOPIC, n, { key })
      for (const priority of [-1, 1]) await bus.publish(TOPIC, priority, { priority })
      await bus.publish(TOPIC, 'later', { delay: '1h' })
      expect(await topic().purge({ state: 'unclaimed' })).to.equal(612)
      expect(await topic().stats()).to.include({ scheduled: 1, unclaimed: 0 })
      await bus.publish(TOPIC, 'a', { key: 'a' })
      await bus.publish(TOPIC, 'a too', { key: 'a' })
      const got = new Received<unknown>()
      await consuming(bus, (body) => got.add(body))
      expect(await got.count(2)).to.deep.equal(['a', 'a too'])
      await topic().purge({ state: 'scheduled' })
    })

    it('tells those who wait for one', async () => {
      const bus = w.bus()
      const asked = refused(bus.request(TOPIC, 1, { timeout: '20s' }))
      await eventually(w, 'the request to wait', async () => (await topic().stats()).unclaimed || undefined)
      await topic().purge({ state: 'unclaimed' })
      const error = await asked
      expect(error).to.include({ code: 'REQUEST_FAILED' })
      expect(error.message).to.contain('purged')
    })
  })

  it('is purged of one of two, which has to be named', async () => {
    expect((await refused(topic().purge({ state: 'ready' } as never))).message).to.contain('group(name).purge')
    expect((await refused(topic().purge(undefined as never))).code).to.equal('INVALID_OPTIONS')
    expect((await refused(topic().purge({ what: 'scheduled' } as never))).code).to.equal('INVALID_OPTIONS')
  })

  describe('that is deleted', () => {
    it('leaves nothing but what goes by itself, dead letters included', async () => {
      const bus = w.bus()
      const died = new Received<unknown>()
      const subscription = await consuming(
        bus,
        (body) => {
          died.add(body)
          throw new Error('no')
        },
        { retry: false, concurrency: 100 },
      )
      await bus.publishBatch(TOPIC, many(700))
      await died.count(700)
      await subscription.close()
      expect((await topic().group('test').stats()).dead).to.equal(700)
      await topic().delete()
      await isGone()
      await topic().delete()
      await isGone()
    })

    it('is refused while it is used, and says by what', async () => {
      const bus = w.bus()
      await bus.publish(TOPIC, 'waits')
      await bus.publish(TOPIC, 'later', { delay: '1h' })
      const waiting = await refused(topic().delete())
      expect(waiting.code).to.equal('TOPIC_IN_USE')
      expect(waiting.details).to.deep.equal({ consumers: 0, messages: 2, outbox: 0 })
      expect(waiting.message).to.contain('2 messages').and.to.contain('force')
      await topic().purge({ state: 'scheduled' })
      const got = new Received<unknown>()
      const subscription = await consuming(bus, (body) => got.add(body))
      await got.count(1)
      await eventually(w, 'it to be settled', async () =>
        (await topic().group('test').stats()).inFlight === 0 ? true : undefined,
      )
      const consumed = await refused(topic().delete())
      expect(consumed.details).to.deep.equal({ consumers: 1, messages: 0, outbox: 0 })
      expect(consumed.message).to.contain('1 live consumer.')
      expect((await refused(topic().delete({ force: 'yes' } as never))).code).to.equal('INVALID_OPTIONS')
      expect((await refused(topic().delete({ forced: true } as never))).code).to.equal('INVALID_OPTIONS')
      await subscription.close()
      await topic().delete()
      await isGone()
    })

    it('by force ends all that it has, in every state', async () => {
      const bus = w.bus()
      const started = new Received<unknown>()
      let finish = (): void => {}
      const finished = new Promise<void>((resolve) => {
        finish = resolve
      })
      const subscription = await consuming(
        bus,
        async (body) => {
          started.add(body)
          if (body === 0) throw new Error('no')
          await finished
        },
        { retry: { attempts: 2, delay: '1h', maxDelay: '1h' }, concurrency: 3, lookahead: 0, lease: '600ms' },
      )
      await bus.publishBatch(TOPIC, many(600))
      for (const key of ['a', 'b']) for (let n = 0; n < 5; n++) await bus.publish(TOPIC, n, { key, priority: n })
      await bus.publishBatch(TOPIC, many(600, { delay: '1h' }))
      await started.count(4)
      const { scheduled, groups } = await topic().stats()
      expect(scheduled).to.equal(600)
      expect(groups.test).to.include({ inFlight: 3, retrying: 1, held: 8 })
      const closing = subscription.close()
      await topic().delete({ force: true })
      await isGone()
      finish()
      await closing
    })

    it('under a living consumer begins anew, known and with its groups', async () => {
      const topics = defineTopics({ [TOPIC]: { body: type<unknown>(), groups: ['ledger', 'test'] } })
      const bus = createBus({
        ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: false, topics },
      })
      w.atEnd(() => bus.close())
      const got = new Received<unknown>()
      await consuming(bus as unknown as Bus, (body) => got.add(body), { lease: '600ms' })
      await bus.publish(TOPIC, 'before')
      await got.count(1)
      await topic().delete({ force: true })
      await bus.publish(TOPIC, 'after')
      await got.first((body) => body === 'after')
      expect(await w.bus().topics()).to.include(TOPIC)
      expect(Object.keys((await topic().stats()).groups).sort()).to.deep.equal(['ledger', 'test'])
    })

    it('is begun anew by a producer that knew it before, of which nothing is lost and nothing happens twice', async () => {
      const topics = defineTopics({ [TOPIC]: { body: type<number>(), groups: ['ledger'] } })
      const bus = createBus({
        ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: w.log.logger, topics },
      })
      w.atEnd(() => bus.close())
      const rollbacks = new Received<unknown>()
      bus.on('rollback', (event) => rollbacks.add(event))
      await bus.publish(TOPIC, 0)
      await topic().delete({ force: true })
      await Promise.all(Array.from({ length: 300 }, (_, i) => bus.publish(TOPIC, i)))
      expect(rollbacks.items).to.deep.equal([])
      expect(await w.bus().topics()).to.include(TOPIC)
      const { items } = await topic().group('ledger').peek({ limit: 1_000 })
      expect(items.map(({ body }) => body)).to.deep.equal([...Array(300).keys()])
      expect(await w.redis.ttl(`${w.namespace}:{${TOPIC}}:groups`), 'the note of its deletion').to.equal(-1)
    })

    it('while it is published to stays, with what came', async () => {
      const bus = w.bus()
      await bus.publishBatch(TOPIC, many(900))
      const accepted: number[] = []
      let isOver = false
      const publishing = (async () => {
        for (let n = 1_000; !isOver || accepted.length === 0; n++) {
          await bus.publish(TOPIC, n)
          accepted.push(n)
        }
      })()
      await topic().delete({ force: true })
      isOver = true
      await publishing
      await bus.publish(TOPIC, -1)
      expect(await w.bus().topics()).to.include(TOPIC)
      const bodies = (await topic().peek({ state: 'unclaimed', limit: 1_000 })).items.map(({ body }) => body)
      // What was accepted before the deletion took the topic from sight went with it.
      expect(bodies).to.deep.equal([...accepted.slice(accepted.indexOf(bodies[0] as number)), -1])
      await topic().delete({ force: true })
    })

    it('tells the others first what its ends have to tell', async () => {
      const reporting = plugin('reporting', (scope) => {
        scope.option('publish', 'tell', () => undefined)
        scope.publish('enrich', async (batch, next) => {
          for (const message of batch.messages)
            if (message.options.tell !== undefined) message.reportTo = { topic: String(message.options.tell) }
          return next()
        })
      })
      const bus = equipped(w, [reporting])
      for (let n = 0; n < 3; n++) await bus.publish(TOPIC, n, extra({ tell: 'reports' }))
      const asked = refused(w.bus().request(TOPIC, 1, { timeout: '20s' }))
      await eventually(w, 'the request to wait', async () =>
        (await topic().stats()).unclaimed === 4 ? true : undefined,
      )
      await topic().delete({ force: true })
      await isGone()
      const reports = await bus.topic('reports').peek({ state: 'unclaimed' })
      expect(reports.items.map(({ body }) => (body as { outcome: string }).outcome)).to.deep.equal(
        Array(3).fill('removed'),
      )
      const error = await asked
      expect(error.code).to.equal('REQUEST_FAILED')
      expect(error.message).to.contain('removed')
    })

    it('goes on where a process that died had stopped', async () => {
      const bus = w.bus()
      await bus.publishBatch(TOPIC, many(600, { delay: '1h' }))
      await bus.publishBatch(TOPIC, many(600))
      const { text } = compose({ redisVersion: w.server.version }).get('delete-topic')
      const args = deleteTopic.args({ how: 'force', limit: 100, producer: 'diedAAAA' }) as (string | number)[]
      const prefix = `${w.namespace}:{${TOPIC}}:`
      await w.redis.eval(text, 2, `${prefix}meta`, `${prefix}never`, ...args)
      expect((await keys()).length).to.be.greaterThan(5)
      expect(await topic().stats()).to.deep.equal({ scheduled: 0, unclaimed: 0, outbox: 0, groups: {} })
      await topic().delete()
      await isGone()
    })
  })
})
