import { createBus, defineTopics, type MessageChanges, type PublishOptions, type } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
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

conformance('changing a message that waits', (world: World) => {
  const topic = () => world.bus().topic(TOPIC)
  const publish = async (body: unknown, options: PublishOptions = {}) =>
    (await world.bus().publish(TOPIC, body, options)).id
  /** A group that exists and takes nothing, until it is resumed. */
  const pausedGroup = async () => {
    const bus = world.bus()
    const subscription = bus.consume(TOPIC, () => {})
    await subscription.ready
    await subscription.close()
    const group = bus.topic(TOPIC).group('test')
    await group.pause()
    return group
  }
  /** What the group handles, in order. */
  const handled = async (count: number) => {
    const received = new Received<unknown>()
    const bus = world.bus()
    const subscription = bus.consume(TOPIC, ({ body }) => received.add(body), { concurrency: 1 })
    await subscription.ready
    await bus.topic(TOPIC).group('test').resume()
    const bodies = await received.count(count)
    await subscription.close()
    return bodies
  }

  it('gives it another body in its place, of one that was published alone or with others', async () => {
    await pausedGroup()
    const bus = world.bus()
    const batch = await bus.publishBatch(
      TOPIC,
      [0, 1, 2].map((body) => ({ body })),
    )
    const alone = await publish(3, { headers: { tenant: 'acme' }, type: 'paid', key: 'k' })
    expect(await topic().update(batch[1]?.id ?? '', { body: 'one' })).to.equal(true)
    expect(await topic().update(alone, { body: { three: 3 } })).to.equal(true)
    expect(await topic().message(alone)).to.deep.include({ body: { three: 3 }, headers: { tenant: 'acme' }, key: 'k' })
    const { items } = await bus.topic(TOPIC).group('test').peek()
    expect(items.map(({ body }) => body)).to.deep.equal([0, 'one', 2, { three: 3 }])
    expect(await handled(4)).to.deep.equal([0, 'one', 2, { three: 3 }])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('lets it go ahead with a higher priority, and behind with a lower one', async () => {
    await pausedGroup()
    const ids: string[] = []
    for (const body of [0, 1, 2, 3]) ids.push(await publish(body))
    await topic().update(ids[2] as string, { priority: 5 })
    await topic().update(ids[0] as string, { priority: -5 })
    await topic().update(ids[3] as string, { priority: 5, body: 'three' })
    expect(await handled(4)).to.deep.equal([2, 'three', 1, 0])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('puts off what is ready, and brings forward what is scheduled or retried', async () => {
    const group = await pausedGroup()
    const ready = await publish('ready')
    const scheduled = await publish('scheduled', { delay: '1h' })
    await topic().reschedule(ready, '1h')
    expect((await topic().message(ready))?.groups.test).to.deep.include({ state: 'retrying', attempts: 0 })
    expect(await topic().reschedule(scheduled, 0)).to.equal(true)
    expect(await handled(1)).to.deep.equal(['scheduled'])
    expect(await topic().reschedule(ready, 0)).to.equal(true)
    const failing = new Received<number>()
    const bus = world.bus()
    const handler = ({ attempt }: { attempt: number }) => {
      failing.add(attempt)
      if (attempt === 1) throw new Error('not yet')
    }
    await bus.consume(TOPIC, handler, { retry: { attempts: 2, delay: '1h' } }).ready
    await failing.count(1)
    await eventually(world, 'the retry', async () => ((await group.stats()).retrying === 1 ? true : undefined))
    expect(await topic().reschedule(ready, 0)).to.equal(true)
    expect(await failing.count(2)).to.deep.equal([1, 2])
  })

  it('wakes a consumer that is idle, when the time that it was given has come', async () => {
    const bus = world.bus()
    const received = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => received.add(body)).ready
    const id = await publish('soon', { delay: '1h' })
    const startMs = Date.now()
    await topic().reschedule(id, 100)
    await received.count(1)
    expect(Date.now() - startMs).to.be.at.least(99)
  })

  it('keeps the order of an ordering key; one that is put off joins its line when it is due', async () => {
    await pausedGroup()
    const ids: string[] = []
    for (const body of [0, 1, 2, 3]) ids.push(await publish(body, { key: 'k' }))
    await topic().update(ids[1] as string, { body: 'one' })
    await topic().reschedule(ids[0] as string, 1)
    const error = await failure(topic().update(ids[2] as string, { priority: 1 }))
    expect(error).to.include({ code: 'INVALID_OPTIONS' })
    expect(error.message).to.contain('ordering key "k"')
    expect(await handled(4)).to.deep.equal(['one', 2, 3, 0])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('finds it where no group has it yet', async () => {
    const bus = world.bus()
    const [first, second] = await bus.publishBatch(
      TOPIC,
      [0, 1, 2].map((body) => ({ body })),
    )
    const later = await publish('later', { delay: '1h' })
    await topic().update(first?.id ?? '', { priority: -1 })
    await topic().update(second?.id ?? '', { body: 'one' })
    await topic().update(later, { body: 'now', priority: 9, delay: 0 })
    await pausedGroup()
    expect(await handled(4)).to.deep.equal(['now', 'one', 2, 0])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('leaves alone what runs, is dead, or is not there; and what runs has the new body if it is tried again', async () => {
    expect(await topic().update('nobody', { body: 1 })).to.equal(false)
    const [gate, seen] = [new Gate(), new Received<unknown>()]
    const bus = world.bus()
    await bus.consume(
      TOPIC,
      async ({ body, attempt }) => {
        seen.add(body)
        if (attempt === 1) await gate.opened
        throw new Error('no')
      },
      { retry: { attempts: 2, delay: '1h' } },
    ).ready
    const id = await publish('old')
    await seen.count(1)
    expect(await topic().update(id, { body: 'new' })).to.equal(false)
    expect(await topic().reschedule(id, 0)).to.equal(false)
    gate.open()
    const group = bus.topic(TOPIC).group('test')
    await eventually(world, 'the retry', async () => ((await group.stats()).retrying === 1 ? true : undefined))
    expect(await topic().update(id, { body: 'new', delay: 0 })).to.equal(true)
    expect(await seen.count(2)).to.deep.equal(['old', 'new'])
    await eventually(world, 'its death', async () => ((await group.stats()).dead === 1 ? true : undefined))
    expect(await topic().update(id, { body: 'newer' })).to.equal(false)
    await group.purge({ state: 'dead' })
  })

  it('keeps what follows the message: who waits for its end is told', async () => {
    await pausedGroup()
    const bus = world.bus()
    const reply = bus.request(TOPIC, 20, { timeout: '10s' })
    const id = await eventually(world, 'the request', async () => {
      const { items } = await bus.topic(TOPIC).group('test').peek()
      return items[0]?.id
    })
    await topic().update(id, { body: 21, priority: 3 })
    const consumer = world.bus()
    await consumer.topic(TOPIC).group('test').resume()
    await consumer.consume(TOPIC, ({ body }) => 2 * (body as number)).ready
    expect((await reply) as unknown).to.equal(42)
  })

  it('by many at once leaves what each of them changed', async () => {
    await pausedGroup()
    const id = await publish(0)
    await Promise.all([
      topic().update(id, { body: 'changed' }),
      topic().update(id, { priority: 4 }),
      ...[1, 2, 3].map(() => topic().update(id, { priority: 4 })),
    ])
    await publish('plain')
    expect(await handled(2)).to.deep.equal(['changed', 'plain'])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('loses and repeats nothing, whatever is changed while it is handled', async () => {
    const changes = fc.array(
      fc.record({
        which: fc.nat(),
        change: fc.oneof(
          fc.record({ delay: fc.nat(3) }),
          fc.record({ priority: fc.integer({ min: -1, max: 1 }) }),
          fc.record({ body: fc.constant('changed') }),
        ),
      }),
      { minLength: 10, maxLength: 60 },
    )
    let runs = 0
    await fc.assert(
      fc.asyncProperty(changes, async (changes) => {
        const name = `orders.run${++runs}`
        const bus = world.bus()
        const seen = new Received<string>()
        await bus.consume(name, ({ id }) => seen.add(id), { concurrency: 3 }).ready
        const bodies = Array.from({ length: 60 }, (_, body) => ({ body }))
        const published = bus.publishBatch(name, bodies)
        const ids = (await published).map(({ id }) => id)
        const admin = bus.topic(name)
        await Promise.all(
          changes.map(({ which, change }) => admin.update(ids[which % ids.length] as string, change as MessageChanges)),
        )
        await seen.count(60)
        expect([...seen.items].sort()).to.deep.equal([...ids].sort())
      }),
      { numRuns: 10 },
    )
  })

  it('checks a body as that of a publish, and refuses what it does not know', async () => {
    const topics = defineTopics({
      'orders.checked': {
        body: {
          '~standard': {
            version: 1,
            vendor: 'test',
            validate: (value: unknown) =>
              typeof value === 'number' ? { value: value + 1 } : { issues: [{ message: 'is no number' }] },
          },
        },
      },
      'orders.plain': { body: type<number>() },
    })
    const { server, namespace } = world
    await using bus = createBus({
      service: 'test',
      topics,
      redis: server.url,
      namespace,
      logger: false,
      maxPayload: 100,
    })
    const { id } = await bus.publish('orders.checked', 1 as never)
    const checked = bus.topic('orders.checked')
    expect(await failure(checked.update(id, { body: 'x' as never }))).to.include({ code: 'INVALID_BODY' })
    expect(await checked.update(id, { body: 5 as never })).to.equal(true)
    expect((await checked.message(id))?.body).to.equal(6)
    const plain = bus.topic('orders.plain')
    const other = await bus.publish('orders.plain', 1)
    for (const changes of [{}, { prio: 1 }, { priority: 1.5 }, { delay: 'soon' }, 7])
      expect(await failure(plain.update(other.id, changes as never)), JSON.stringify(changes)).to.include({
        code: 'INVALID_OPTIONS',
      })
    expect(await failure(plain.update(other.id, { body: 'x'.repeat(101) as never }))).to.include({
      code: 'PAYLOAD_TOO_LARGE',
    })
    expect(await failure(plain.reschedule('', 1))).to.include({ code: 'INVALID_OPTIONS' })
    for (const topic of [checked, plain]) await topic.delete({ force: true })
  })
})
