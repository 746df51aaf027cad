import type { Plugin } from '@busway/bus'
import { createBus } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error) => error.code,
  )

describe('looking after a group', () => {
  const w = world()
  const failing = async (bodies: unknown[], options: object = {}) => {
    const bus = w.bus()
    const dead = new Received<unknown>()
    const subscription = bus.consume(
      'orders.paid',
      ({ body }) => {
        dead.add(body)
        throw Object.assign(new TypeError('no such order'), { code: 'E_ORDER' })
      },
      { retry: false, ...options },
    )
    await subscription.ready
    await bus.publishBatch(
      'orders.paid',
      bodies.map((body) => ({ body })),
    )
    await dead.count(bodies.length)
    await subscription.close()
    return { bus, group: bus.topic('orders.paid').group('test') }
  }

  it('that does not exist says so, and names the nearest', async () => {
    const { bus } = await failing([1])
    const group = bus.topic('orders.paid').group('tset')
    const calls = [
      () => group.stats(),
      () => group.pause(),
      () => group.resume(),
      () => group.deadLetters(),
      () => group.redrive('all'),
      () => group.redrive(['x']),
      () => group.purge(),
      () => group.remove(),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (e: Error) => e,
      )
      expect(error).to.have.property('code', 'UNKNOWN_GROUP')
      expect(error?.message).to.contain('"test"')
    }
  })

  it('refuses what is no group, no page and no id', async () => {
    const { bus, group } = await failing([1])
    expect(() => bus.topic('orders.paid').group('a b'))
      .to.throw()
      .with.property('code', 'INVALID_GROUP')
    expect(await codeOf(group.deadLetters({ limit: 0 }))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.deadLetters({ limt: 1 } as never))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.deadLetters({ cursor: 1 } as never))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.deadLetters({ cursor: '1.2.3 x' }))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.redrive([1] as never))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.redrive('every' as never))).to.equal('INVALID_OPTIONS')
    expect(await codeOf(group.purge({ state: 'held' as never }))).to.equal('INVALID_OPTIONS')
  })

  it('shows a dead letter with all that is known of it', async () => {
    const { bus, group } = await failing([{ order: 7 }])
    await bus.publish('orders.paid', 2)
    const [letter] = (await group.deadLetters()).items
    expect(letter).to.deep.include({ topic: 'orders.paid', headers: {}, body: { order: 7 }, attempts: 1, crashes: 0 })
    expect(letter?.reason).to.equal('attempts')
    expect(letter?.error).to.include({ name: 'TypeError', message: 'no such order' })
    expect(letter?.error.stack).to.contain('group-admin.test')
    expect(letter?.diedAt).to.be.instanceOf(Date)
  })

  it('decodes dead letters through the plugins, and shows bytes where that fails', async () => {
    const shout: Plugin<'shout'> = {
      name: 'shout',
      api: 1,
      setup(scope) {
        scope.consume('decode', async ({ headers }, next) => {
          if (headers.broken !== undefined) throw new Error('broken')
          return `${await next()}!`
        })
      },
    }
    const bus = createBus({
      service: 'test',
      redis: w.server.url,
      namespace: w.namespace,
      logger: false,
      plugins: [shout],
    })
    w.atEnd(() => bus.close())
    const dead = new Received<unknown>()
    const subscription = bus.consume(
      'orders.paid',
      () => {
        dead.add(1)
        throw new Error('no')
      },
      { retry: false },
    )
    await subscription.ready
    await bus.publish('orders.paid', 'good')
    await bus.publish('orders.paid', 'bad', { headers: { broken: 'yes' } })
    await dead.count(1)
    await subscription.close()
    const { items } = await bus.topic('orders.paid').group('test').deadLetters()
    expect(items.find(({ reason }) => reason === 'attempts')?.body).to.equal('good!')
    const undecodable = items.find(({ reason }) => reason === 'undecodable')
    expect(Buffer.from(undecodable?.body as Uint8Array).toString()).to.equal('"bad"')
  })

  it('redrives more than one step holds, and tells its observers how many', async () => {
    const { bus, group } = await failing([...Array(1_000).keys()], { concurrency: 100 })
    await bus.publishBatch(
      'orders.paid',
      [...Array(1_000).keys()].map((body) => ({ body })),
    )
    const seen = new Received<unknown>()
    const second = bus.consume(
      'orders.paid',
      () => {
        seen.add(1)
        throw new Error('no')
      },
      { retry: false, concurrency: 100 },
    )
    await seen.count(1_000)
    await second.close()
    expect((await group.stats()).dead).to.equal(2_000)
    expect(await group.redrive('all')).to.equal(2_000)
    expect(await group.stats()).to.include({ dead: 0, ready: 2_000 })
    expect(await group.purge()).to.equal(2_000)
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('redrives by ids, and those alone', async () => {
    const { group } = await failing([1, 2, 3])
    const { items } = await group.deadLetters()
    const ids = items.filter(({ body }) => body !== 2).map(({ id }) => id)
    expect(await group.redrive([...ids, 'unknown'])).to.equal(2)
    expect((await group.deadLetters()).items.map(({ body }) => body)).to.deep.equal([2])
    expect(await group.redrive([])).to.equal(0)
  })

  it('purges dead letters apart from what waits', async () => {
    const { bus, group } = await failing([1, 2, 3])
    await bus.publish('orders.paid', 4)
    expect(await group.purge({ state: 'dead' })).to.equal(3)
    expect(await group.stats()).to.include({ dead: 0, ready: 1 })
  })

  it('purges what its keys hold as well', async () => {
    const { bus, group } = await failing([1])
    for (const key of ['a', 'b']) for (const body of [1, 2, 3, 4]) await bus.publish('orders.paid', body, { key })
    expect(await group.stats()).to.include({ ready: 2, held: 6 })
    expect(await group.purge()).to.equal(8)
    expect(await group.stats()).to.include({ ready: 0, held: 0, dead: 1 })
  })

  it('removes it with all that it has; its consumers go on in a new one', async () => {
    const { bus, group } = await failing([1, 2, 3])
    const seen = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => seen.add(body), { lease: 600 })
    await subscription.ready
    await group.remove()
    expect(await codeOf(group.stats())).to.equal('UNKNOWN_GROUP')
    await bus.publish('orders.paid', 'after')
    await seen.first((body) => body === 'after')
    await subscription.close()
    await namespaceIsClean(w.redis, w.namespace)
  })
})
