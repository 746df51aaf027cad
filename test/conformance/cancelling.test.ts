import type { MessageInfo, PublishOptions } from '@busway/bus'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, type World } from '../support/world.js'
import { conformance } from './suite.js'

const TOPIC = 'orders.paid'
const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )

/** A group that exists and takes nothing, so that all of it waits. */
async function pausedGroup(world: World, name = 'test') {
  const bus = world.bus()
  const subscription = bus.consume(TOPIC, () => {}, { group: name })
  await subscription.ready
  await subscription.close()
  const group = bus.topic(TOPIC).group(name)
  await group.pause()
  return group
}

conformance('cancelling', (world: World) => {
  const topic = () => world.bus().topic(TOPIC)
  const publish = async (body: unknown, options: PublishOptions = {}) =>
    (await world.bus().publish(TOPIC, body, options)).id

  describe('a message that waits', () => {
    it('ends it unhandled, and the others are handled', async () => {
      const group = await pausedGroup(world)
      const bus = world.bus()
      const receipts = await bus.publishBatch(
        TOPIC,
        [0, 1, 2, 3].map((body) => ({ body })),
      )
      expect(await topic().cancel(receipts[1]?.id ?? '')).to.equal(true)
      expect(await topic().cancel(receipts[1]?.id ?? ''), 'a second time').to.equal(false)
      const received = new Received<unknown>()
      await group.resume()
      await bus.consume(TOPIC, ({ body }) => received.add(body)).ready
      await bus.publish(TOPIC, 'last')
      await received.first((body) => body === 'last')
      expect(received.items).to.deep.equal([0, 2, 3, 'last'])
      // What was handled is settled.
      await bus.close()
      await namespaceIsClean(world.redis, world.namespace)
    })

    for (const [where, options] of [
      ['with an ordering key, and its key goes on', { key: 'k' }],
      ['with a priority', { priority: 7 }],
      ['with an id of its own', { id: 'mine' }],
    ] as const) {
      it(`ends it ${where}`, async () => {
        const group = await pausedGroup(world)
        const id = await publish('cancelled', options)
        await publish('next', 'key' in options ? { key: options.key } : {})
        const end = topic().settled(id)
        await eventually(world, 'somebody to listen', async () =>
          (await world.redis.hget(`${world.namespace}:{${TOPIC}}:meta`, 'watched')) === null ? undefined : true,
        )
        expect(await topic().cancel(id)).to.equal(true)
        expect(await end).to.deep.equal({ id, group: 'test', outcome: 'cancelled' })
        const received = new Received<unknown>()
        await group.resume()
        await world.bus().consume(TOPIC, ({ body }) => received.add(body)).ready
        expect(await received.count(1)).to.deep.equal(['next'])
      })
    }

    it('ends it before it is due, before any group has it, and before its next attempt', async () => {
      const unclaimed = await publish('unclaimed')
      const scheduled = await publish('scheduled', { delay: '1h' })
      expect([await topic().cancel(unclaimed), await topic().cancel(scheduled)]).to.deep.equal([true, true])
      const failed = new Received<string>()
      const bus = world.bus()
      await bus.consume(
        TOPIC,
        ({ id }) => {
          failed.add(id)
          throw new Error('no')
        },
        { retry: { attempts: 3, delay: '1h' } },
      ).ready
      const retried = await publish('retried')
      await failed.first((id) => id === retried)
      const group = bus.topic(TOPIC).group('test')
      await eventually(world, 'the retry', async () => ((await group.stats()).retrying === 1 ? true : undefined))
      expect(await topic().cancel(retried)).to.equal(true)
      expect(failed.items).to.deep.equal([retried])
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('ends it in the groups where it waits, and leaves it to those that have it', async () => {
      const waiting = await pausedGroup(world, 'waiting')
      const gate = new Gate()
      const started = new Received<unknown>()
      const running = world.bus().consume(
        TOPIC,
        async ({ id }) => {
          started.add(id)
          await gate.opened
        },
        { group: 'running' },
      )
      await running.ready
      const id = await publish(1)
      await started.count(1)
      expect(await topic().cancel(id)).to.equal(true)
      expect((await waiting.stats()).inFlight).to.equal(0)
      const info = (await topic().message(id)) as MessageInfo
      expect(info.groups.running?.state).to.equal('inFlight')
      expect(info.groups.waiting).to.include({ state: 'done' })
      expect(await topic().cancel(id), 'of what only runs').to.equal(false)
      gate.open()
    })

    it('tells a requester that its request was cancelled', async () => {
      await pausedGroup(world)
      const bus = world.bus()
      const reply = failure(bus.request(TOPIC, 1, { timeout: '10s' }))
      const id = await eventually(world, 'the request', async () => {
        const { items } = await bus.topic(TOPIC).group('test').peek()
        return items[0]?.id
      })
      await topic().cancel(id)
      const error = await reply
      expect(error).to.include({ code: 'REQUEST_FAILED' })
      expect(error.message).to.contain('cancelled')
    })
  })

  it('answers false where there is nothing to end: unknown, done, or dead', async () => {
    expect(await topic().cancel('nobody')).to.equal(false)
    const settled = new Received<string>()
    const bus = world.bus()
    await bus.consume(
      TOPIC,
      ({ body, id }) => {
        settled.add(id)
        if (body === 'dies') throw new Error('dead')
      },
      { retry: false },
    ).ready
    const done = await publish('done')
    const dead = await publish('dies')
    await settled.count(2)
    const group = bus.topic(TOPIC).group('test')
    await eventually(world, 'a dead letter', async () => ((await group.stats()).dead === 1 ? true : undefined))
    expect([await topic().cancel(done), await topic().cancel(dead)]).to.deep.equal([false, false])
    expect((await group.deadLetters()).items.map(({ id }) => id)).to.deep.equal([dead])
    await group.purge({ state: 'dead' })
  })

  describe('a message that runs', () => {
    it('aborts its signal in whatever process runs it; it is a dead letter, and its key goes on', async function () {
      this.timeout(60_000)
      const worker = await world.worker({ topic: TOPIC, behaviour: 'obey', consume: { group: 'test' } })
      const id = await publish({ n: 1 }, { key: 'k' })
      await publish({ n: 2, hold: false }, { key: 'k' })
      await worker.reports.first((report) => report.event === 'started' && report.id === id)
      expect(await topic().cancel(id), 'without inFlight').to.equal(false)
      const end = topic().settled(id)
      expect(await topic().cancel(id, { inFlight: true })).to.equal(true)
      await worker.reports.first((report) => report.event === 'aborted' && report.reason === 'CANCELLED')
      expect(await end).to.include({ outcome: 'cancelled' })
      await worker.reports.first(
        (report) => report.event === 'settled' && report.id !== id && report.outcome === 'done',
      )
      const group = topic().group('test')
      const { items } = await group.deadLetters()
      expect(items).to.have.length(1)
      expect(items[0]).to.deep.include({ id, reason: 'cancelled', attempts: 0 })
      expect((await topic().message(id))?.groups.test).to.include({ state: 'dead', reason: 'cancelled' })
      await group.purge({ state: 'dead' })
    })

    it('leaves it done if its handler returns all the same', async () => {
      const started = new Received<string>()
      const bus = world.bus()
      await bus.consume(TOPIC, async ({ id }, { signal }) => {
        started.add(id)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      }).ready
      const id = await publish(1, { keepResult: '1m' })
      await started.count(1)
      const end = topic().settled(id)
      expect(await topic().cancel(id, { inFlight: true })).to.equal(true)
      expect(await end).to.include({ outcome: 'done' })
    })

    it('buries one whose handler hangs, a lease later', async () => {
      const never = new Gate()
      const started = new Received<string>()
      const bus = world.bus()
      await bus.consume(
        TOPIC,
        async ({ id }) => {
          started.add(id)
          await never.opened
        },
        { lease: 300, concurrency: 1 },
      ).ready
      const id = await publish(1)
      await started.count(1)
      const end = topic().settled(id)
      await topic().cancel(id, { inFlight: true })
      expect(await end).to.include({ outcome: 'cancelled' })
      await bus.topic(TOPIC).group('test').purge({ state: 'dead' })
      never.open()
    })
  })

  it('refuses what is no id, and options that it does not know', async () => {
    expect(await failure(topic().cancel(''))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await failure(topic().cancel(7 as never))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await failure(topic().cancel('x', { inflight: true } as never)))
      .to.have.property('message')
      .that.contains('inFlight')
    expect(await failure(topic().cancel('x', { inFlight: 'yes' } as never))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await failure(topic().message(''))).to.include({ code: 'INVALID_OPTIONS' })
  })
})

conformance('a message by its id', (world: World) => {
  const info = (id: string) => world.bus().topic(TOPIC).message(id)

  it('is null where nothing is left of it', async () => {
    expect(await info('nobody')).to.equal(null)
    const bus = world.bus()
    const done = new Received<string>()
    await bus.consume(TOPIC, ({ id }) => done.add(id)).ready
    const { id } = await bus.publish(TOPIC, 1)
    await done.count(1)
    await eventually(world, 'its end', async () => ((await info(id)) === null ? true : undefined))
  })

  it('has its contents, and is unclaimed or scheduled before any group has it', async () => {
    const bus = world.bus()
    const { id } = await bus.publish(TOPIC, { n: 1 }, { key: 'k', headers: { a: 'b' } })
    expect(await info(id)).to.deep.equal({
      ...{ id, topic: TOPIC, key: 'k', headers: { a: 'b' }, body: { n: 1 } },
      unclaimed: true,
      groups: {},
    })
    const later = await bus.publish(TOPIC, 2, { deliverAt: new Date(Date.now() + 3_600_000) })
    const scheduled = (await info(later.id)) as MessageInfo
    expect(scheduled).to.include({ unclaimed: false, body: 2 })
    expect(scheduled.dueAt?.getTime()).to.be.closeTo(Date.now() + 3_600_000, 60_000)
    await bus.topic(TOPIC).delete({ force: true })
  })

  it('has its state in every group', async () => {
    const group = await pausedGroup(world, 'ready')
    const [gate, started] = [new Gate(), new Received<unknown>()]
    const bus = world.bus()
    const consume = (name: string, handler: () => unknown, options = {}) =>
      bus.consume(TOPIC, handler, { group: name, ...options }).ready
    const fails = () => {
      started.add('failed')
      throw new RangeError('no')
    }
    await consume('running', async () => {
      started.add('running')
      await gate.opened
    })
    await consume('retrying', fails, { retry: { attempts: 2, delay: '1h' } })
    await consume('dead', fails, { retry: false })
    await consume('done', () => started.add('done'))
    const { id } = await bus.publish(TOPIC, 1, { key: 'k' })
    const second = await bus.publish(TOPIC, 2, { key: 'k' })
    await consume('late', () => {})
    const groups = await eventually(world, 'all states', async () => {
      const { groups } = (await info(id)) as MessageInfo
      const settled =
        groups.retrying?.state === 'retrying' && groups.dead?.state === 'dead' && groups.done?.state === 'done'
      return settled && groups.running?.state === 'inFlight' ? groups : undefined
    })
    expect(Object.keys(groups)).to.have.members(['ready', 'running', 'retrying', 'dead', 'done'])
    expect(groups.ready).to.deep.equal({ state: 'ready', attempts: 0 })
    expect(groups.running).to.have.nested.property('consumer.pid', process.pid)
    expect(groups.retrying).to.deep.include({ state: 'retrying', attempts: 1, crashes: 0 })
    expect(groups.retrying).to.have.nested.property('error.message', 'no')
    expect(groups.dead).to.deep.include({ state: 'dead', attempts: 1, reason: 'attempts' })
    expect((await info(second.id))?.groups.ready).to.deep.equal({ state: 'held', attempts: 0 })
    gate.open()
    await group.purge()
    await bus.topic(TOPIC).group('dead').purge({ state: 'dead' })
    await bus.topic(TOPIC).group('retrying').purge()
  })
})
