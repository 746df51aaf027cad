/** What administration shows of messages, state by state and page by page. */
import { createBus, type Page, type PeekState, type Plugin, UnrecoverableError } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const HOUR = 3_600_000
const TOPIC = 'orders.paid'

const refused = async (call: Promise<unknown>): Promise<{ code: string; message: string }> =>
  call.then(
    () => ({ code: 'resolved', message: '' }),
    (error) => error,
  )

/** Every page of a listing, to its end. */
async function pages<Item>(read: (cursor?: string) => Promise<Page<Item>>): Promise<Item[][]> {
  const found: Item[][] = []
  let cursor: string | undefined
  do {
    const page = await read(cursor)
    found.push([...page.items])
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
}

describe('a look at the messages', () => {
  const w = world()
  const group = () => w.bus().topic(TOPIC).group('test')
  /** A group with a consumer that holds on to what it gets, until `finish`. */
  const holding = async (options: object = {}) => {
    const bus = w.bus()
    const started = new Received<unknown>()
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const subscription = bus.consume(
      TOPIC,
      async ({ body }) => {
        started.add(body)
        await finished
      },
      { concurrency: 1, lookahead: 0, ...options },
    )
    await subscription.ready
    w.atEnd(finish)
    return { bus, started, subscription, finish }
  }

  it('that are ready shows them in the order in which they will be taken', async () => {
    const { bus, started } = await holding()
    await bus.publish(TOPIC, 'runs')
    await started.count(1)
    const { id } = await bus.publish(TOPIC, { order: 1 }, { id: 'one', headers: { tenant: 'acme' } })
    await bus.publish(TOPIC, 'low', { priority: -1 })
    await bus.publish(TOPIC, 'high', { priority: 5 })
    await bus.publish(TOPIC, 'first', { position: 'front' })
    const { items, cursor } = await group().peek()
    expect(items.map(({ body }) => body)).to.deep.equal(['high', 'first', { order: 1 }, 'low'])
    expect(cursor).to.equal(undefined)
    expect(items[2]).to.deep.equal({
      ...{ state: 'ready', id, topic: TOPIC, headers: { tenant: 'acme' }, body: { order: 1 }, attempts: 0 },
    })
    expect((await group().stats()).ready).to.equal(items.length)
  })

  it('that are held shows them key by key, behind the one that is out', async () => {
    const { bus, started } = await holding()
    await bus.publish(TOPIC, 'runs')
    await started.count(1)
    for (const key of ['OSL', 'TRD']) for (const n of [1, 2, 3]) await bus.publish(TOPIC, n, { key })
    const { items } = await group().peek({ state: 'held' })
    expect(items.map(({ key, body, state }) => [key, body, state])).to.deep.equal(
      ['OSL', 'TRD'].flatMap((key) => [2, 3].map((n) => [key, n, 'held'])),
    )
    expect((await group().peek()).items.map(({ key, body }) => [key, body])).to.deep.equal([
      ['OSL', 1],
      ['TRD', 1],
    ])
  })

  it('that are in flight says since when and where', async () => {
    const before = Date.now()
    const { bus, started } = await holding({ concurrency: 2 })
    const receipts = await bus.publishBatch(TOPIC, [{ body: 1 }, { body: 2 }, { body: 3 }])
    await started.count(2)
    const { items } = await group().peek({ state: 'inFlight' })
    expect(items.map(({ id }) => id)).to.deep.equal(receipts.slice(0, 2).map(({ id }) => id))
    for (const { since, consumer, state } of items) {
      expect(state).to.equal('inFlight')
      expect(since.getTime()).to.be.within(before - 1_000, Date.now() + 1_000)
      expect(consumer).to.include({ service: 'test', pid: process.pid })
      expect(consumer.host).to.be.a('string')
      expect(consumer.id).to.match(/~/)
    }
    expect((await group().peek()).items.map(({ body }) => body)).to.deep.equal([3])
  })

  it('that are tried again says when, and what went wrong', async () => {
    const bus = w.bus()
    const failed = new Received<unknown>()
    bus.on('error', () => undefined)
    const subscription = bus.consume(
      TOPIC,
      ({ body }) => {
        failed.add(body)
        throw new TypeError('no such order')
      },
      { retry: { attempts: 3, delay: '1h', maxDelay: '1h', jitter: 0 } },
    )
    await subscription.ready
    await bus.publish(TOPIC, { order: 7 }, { key: 'k' })
    await failed.count(1)
    await subscription.close()
    const [item, ...others] = (await group().peek({ state: 'retrying' })).items
    expect(others).to.deep.equal([])
    expect(item).to.deep.include({ state: 'retrying', key: 'k', body: { order: 7 }, attempts: 1, crashes: 0 })
    expect(item?.error).to.include({ name: 'TypeError', message: 'no such order' })
    expect(item?.error.stack).to.contain('peek.test')
    expect(item?.dueAt.getTime()).to.be.within(Date.now() + HOUR - 60_000, Date.now() + HOUR + 60_000)
  })

  it('that are dead is the list of dead letters', async () => {
    const bus = w.bus()
    const died = new Received<unknown>()
    const subscription = bus.consume(TOPIC, ({ body }) => {
      died.add(body)
      throw new UnrecoverableError('never')
    })
    await subscription.ready
    for (const body of [1, 2, 3]) await bus.publish(TOPIC, body)
    await died.count(3)
    await subscription.close()
    const dead = await group().peek({ state: 'dead', limit: 2 })
    expect(dead).to.deep.equal(await group().deadLetters({ limit: 2 }))
    expect(dead.items.map(({ body, state, reason }) => [body, state, reason])).to.deep.equal(
      [1, 2].map((body) => [body, 'dead', 'unrecoverable']),
    )
    const cursor = dead.cursor as string
    expect((await group().peek({ state: 'dead', cursor })).items.map(({ body }) => body)).to.deep.equal([3])
  })

  it('that no group has yet is for the topic to show', async () => {
    const bus = w.bus()
    const topic = bus.topic(TOPIC)
    await bus.publish(TOPIC, 'later', { delay: '1h' })
    await bus.publish(TOPIC, 'soon', { delay: '1m' })
    await bus.publish(TOPIC, 'waits')
    await bus.publish(TOPIC, 'urgent', { priority: 1 })
    const scheduled = await topic.peek({ state: 'scheduled' })
    expect(scheduled.items.map(({ body, state }) => [body, state])).to.deep.equal([
      ['soon', 'scheduled'],
      ['later', 'scheduled'],
    ])
    expect(scheduled.items[1]?.dueAt.getTime()).to.be.within(Date.now() + HOUR - 60_000, Date.now() + HOUR + 60_000)
    const unclaimed = await topic.peek({ state: 'unclaimed' })
    expect(unclaimed.items.map(({ body, state }) => [body, state])).to.deep.equal([
      ['urgent', 'unclaimed'],
      ['waits', 'unclaimed'],
    ])
    expect(await topic.stats()).to.include({ scheduled: 2, unclaimed: 2 })
  })

  it('goes through ten thousand, each shown once', async () => {
    const { bus, started } = await holding()
    await bus.publish(TOPIC, -1)
    await started.count(1)
    for (let n = 0; n < 10_000; n += 1_000)
      await bus.publishBatch(
        TOPIC,
        Array.from({ length: 1_000 }, (_, i) => ({ body: n + i })),
      )
    const found = await pages((cursor) => group().peek({ limit: 777, ...(cursor && { cursor }) }))
    expect(found.map(({ length }) => length)).to.deep.equal([...Array(12).fill(777), 676])
    const bodies = found.flat().map(({ body }) => body)
    expect(bodies).to.deep.equal([...Array(10_000).keys()])
    expect(new Set(found.flat().map(({ id }) => id)).size).to.equal(10_000)
    await group().purge()
  })

  it('is no larger than can be read at once, whatever the messages are', async () => {
    const { bus, started } = await holding()
    await bus.publish(TOPIC, -1)
    await started.count(1)
    for (let n = 0; n < 10; n++) await bus.publish(TOPIC, 'x'.repeat(1_000_000))
    const found = await pages((cursor) => group().peek({ ...(cursor && { cursor }) }))
    expect(found.map(({ length }) => length)).to.deep.equal([4, 4, 2])
  })

  it('decodes through the plugins, and shows bytes where that fails', async () => {
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
    const { server, namespace } = w
    const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, plugins: [shout] })
    w.atEnd(() => bus.close())
    await bus.publish(TOPIC, 'good')
    await bus.publish(TOPIC, 'bad', { headers: { broken: 'yes' } })
    const { items } = await bus.topic(TOPIC).peek({ state: 'unclaimed' })
    expect(items[0]?.body).to.equal('good!')
    expect(Buffer.from(items[1]?.body as Uint8Array).toString()).to.equal('"bad"')
    expect(items[1]?.headers).to.deep.equal({ broken: 'yes' })
    await bus.publish(TOPIC, 1, { id: 'foreign' })
    await w.redis.hset(`${namespace}:{${TOPIC}}:batches`, '=foreign', Buffer.from([1, 9, 1, 0, 7]))
    const foreign = (await bus.topic(TOPIC).peek({ state: 'unclaimed' })).items.find(({ id }) => id === 'foreign')
    expect(foreign).to.deep.include({ headers: {}, attempts: 0 })
    expect(foreign?.body).to.deep.equal(Buffer.from([1, 9, 1, 0, 7]))
    await w.redis.flushdb()
  })

  it('says what is no state, no group and no page', async () => {
    const { bus } = await holding()
    const topic = bus.topic(TOPIC)
    const of = (options: object) => refused(group().peek(options as never))
    expect((await of({ state: 'waiting' })).code).to.equal('INVALID_OPTIONS')
    expect((await of({ state: 'scheduled' })).message).to.contain('bus.topic(name).peek')
    expect((await of({ limit: 1_001 })).code).to.equal('INVALID_OPTIONS')
    expect((await of({ count: 3 })).message).to.contain('count')
    expect((await refused(topic.peek({ state: 'ready' } as never))).message).to.contain('group(name).peek')
    expect((await refused(topic.peek(undefined as never))).code).to.equal('INVALID_OPTIONS')
    for (const state of ['ready', 'held', 'inFlight', 'retrying', 'dead'] as const)
      expect((await refused(topic.group('tset').peek({ state }))).code).to.equal('UNKNOWN_GROUP')
    expect((await topic.group('test').peek({ state: 'held' })).items).to.deep.equal([])
  })

  it('refuses a cursor that it did not give, and shows nothing but what is there for one that it might have given', async () => {
    const { bus, started } = await holding()
    await bus.publish(TOPIC, 0)
    await started.count(1)
    for (const body of [1, 2, 3]) await bus.publish(TOPIC, body)
    const given = (await group().peek({ limit: 1 })).cursor as string
    const forged = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url')
    const none: unknown[] = [
      ...['', 'x', '{}', 7, null, {}, given.slice(1), 'A'.repeat(100_000), '\0'],
      ...[forged(), forged('ready'), forged('ready', 'list'), forged('ready', 'list', '1', 'x')],
      ...[
        forged('ready', 'list', 1, 'x', 0),
        forged('ready', 'list', '-1', 'x', '0'),
        forged('ready', 'list', '1e9', 'x', '0'),
      ],
      ...[forged('ready', 'above', 'nan', '00000000000001', '0'), forged('ready', 'above', '1', '1', '0')],
      ...[forged('ready', 'retry', '1', '00000000000001', '0'), forged('ready', 'list', '0', '\u{1f600}', '0')],
      ...[
        forged('held', 'lines', '0', '', '0', '', '0'),
        forged('ready', 'constructor', '0'),
        forged('ready', '__proto__'),
      ],
      forged('ready', 'list', '0', 'x', '0', 'more'),
    ]
    for (const cursor of none) {
      const { code } = await refused(group().peek({ cursor: cursor as string }))
      expect(code, JSON.stringify(cursor)).to.equal('INVALID_OPTIONS')
    }
    for (const state of ['held', 'inFlight', 'retrying', 'dead'] as const)
      expect((await refused(group().peek({ state, cursor: given }))).code, state).to.equal('INVALID_OPTIONS')

    const bodies = async (state: PeekState, ...parts: string[]) =>
      (await group().peek({ state, cursor: forged(state, ...parts) })).items.map(({ body }) => body)
    expect(await bodies('ready', 'list', '999999999999999', '!0,9999,x', '99999')).to.deep.equal([1, 2, 3])
    expect(await bodies('ready', 'below', '-99999999999999999', '99999999999999', '0')).to.deep.equal([])
    expect(
      await bodies('held', 'lines', '18446744073709551615', 'no such key', '0', '', '0', 'nor this'),
    ).to.deep.equal([])
    expect(await bodies('inFlight', 'leases', '\xff', '999999999999999', '0')).to.deep.equal([])
    expect(await bodies('inFlight', 'leases', '!', '0', '99999')).to.deep.equal([0])
    expect(await bodies('retrying', 'retry', '99999999999999999', '00000000000000', '0')).to.deep.equal([])
  })
})
