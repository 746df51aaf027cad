import { type BuswayError, createBus } from '@busway/bus'
import { expect } from 'chai'
import { world } from '../support/world.js'

const cycle: { self?: unknown } = {}
cycle.self = cycle

describe('a publish with bad input', () => {
  const w = world()

  /** The error, after which nothing at all was written. */
  async function refused(topic: unknown, body: unknown, options?: unknown): Promise<BuswayError> {
    const bus = w.bus({ maxPayload: 1_000 })
    const error = await bus.publish(topic as string, body, options as object).then(
      () => undefined,
      (failure: BuswayError) => failure,
    )
    if (error === undefined) throw new Error('it was published')
    expect(error.name).to.equal('BuswayError')
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
    await bus.close()
    return error
  }

  const cases: [string, [topic: unknown, body: unknown, options?: unknown], code: string, says: string][] = [
    ['a topic with a colon', ['orders:paid', 1], 'INVALID_TOPIC', 'orders:paid'],
    ['no topic', [undefined, 1], 'INVALID_TOPIC', 'no string'],
    ['a pattern', ['orders.*', 1], 'INVALID_TOPIC', 'one topic'],
    ['an internal topic', ['$schedule', 1], 'INVALID_TOPIC', 'plugins'],
    ['no body', ['orders.paid', undefined], 'INVALID_BODY', 'undefined'],
    ['a cycle', ['orders.paid', cycle], 'INVALID_BODY', 'body.self'],
    ['a cycle, with options', ['orders.paid', cycle, { key: 'k' }], 'INVALID_BODY', 'body.self'],
    ['a BigInt', ['orders.paid', { n: 1n }], 'INVALID_BODY', 'body.n'],
    ['a large body', ['orders.paid', 'x'.repeat(1_000)], 'PAYLOAD_TOO_LARGE', '1,002 bytes'],
    ['large bytes', ['orders.paid', new Uint8Array(1_001)], 'PAYLOAD_TOO_LARGE', '1,001 bytes'],
    ['an unknown option', ['orders.paid', 1, { dealy: '1s' }], 'INVALID_OPTIONS', '"delay"'],
    [
      'a durability that there is none of',
      ['orders.paid', 1, { durability: 'disk' }],
      'INVALID_OPTIONS',
      "'memory', 'aof' or",
    ],
    ['no replicas', ['orders.paid', 1, { durability: { replicas: 0 } }], 'INVALID_OPTIONS', 'durability.replicas'],
    ['a priority that is no integer', ['orders.paid', 1, { priority: 0.5 }], 'INVALID_OPTIONS', 'an integer'],
    ['a priority beyond exact numbers', ['orders.paid', 1, { priority: 2 ** 53 }], 'INVALID_OPTIONS', 'an integer'],
    ['a result kept for no time', ['orders.paid', 1, { keepResult: 0 }], 'INVALID_OPTIONS', 'below 1 ms'],
    ['an expiry of 0', ['orders.paid', 1, { expiresIn: 0 }], 'INVALID_OPTIONS', 'below 1 ms'],
    ['options that are none', ['orders.paid', 1, 'now'], 'INVALID_OPTIONS', 'an object'],
    ['a negative delay', ['orders.paid', 1, { delay: -1 }], 'INVALID_OPTIONS', 'negative'],
    ['a NaN delay', ['orders.paid', 1, { delay: Number.NaN }], 'INVALID_OPTIONS', 'NaN'],
    ['an invalid date', ['orders.paid', 1, { deliverAt: new Date('never') }], 'INVALID_OPTIONS', 'deliverAt'],
    ['a date as text', ['orders.paid', 1, { deliverAt: '2030-01-01' }], 'INVALID_OPTIONS', 'deliverAt'],
    ['a delay and a date', ['orders.paid', 1, { delay: 1, deliverAt: new Date() }], 'INVALID_OPTIONS', 'one of them'],
    ['an empty id', ['orders.paid', 1, { id: '' }], 'INVALID_OPTIONS', 'id'],
    ['an id with NUL', ['orders.paid', 1, { id: 'a\0' }], 'INVALID_OPTIONS', 'control'],
    ['a long id', ['orders.paid', 1, { id: 'x'.repeat(201) }], 'INVALID_OPTIONS', '200'],
    ['a numeric key', ['orders.paid', 1, { key: 7 }], 'INVALID_OPTIONS', 'key'],
    ['a numeric header', ['orders.paid', 1, { headers: { a: 1 } }], 'INVALID_OPTIONS', 'headers["a"]'],
    ['a list of headers', ['orders.paid', 1, { headers: ['a'] }], 'INVALID_OPTIONS', 'headers'],
    ['a position that is none', ['orders.paid', 1, { position: 'top' }], 'INVALID_OPTIONS', "'front'"],
    ['a signal that is none', ['orders.paid', 1, { signal: {} }], 'INVALID_OPTIONS', 'AbortSignal'],
  ]
  for (const [what, [topic, body, options], code, says] of cases) {
    it(`such as ${what} is ${code}, and nothing is written`, async () => {
      const error = await refused(topic, body, options)
      expect(error.code).to.equal(code)
      expect(error.message).to.include(says)
    })
  }

  it('shows no payload', async () => {
    const { message } = await refused('orders.paid', { secret: 'hunter2', n: 1n })
    expect(message).to.not.include('hunter2')
  })

  it('may leave options undefined', async () => {
    const bus = w.bus()
    expect((await bus.publish('orders.paid', 1, { key: undefined, delay: undefined } as object)).status).to.equal(
      'accepted',
    )
  })
})

describe('a publishBatch with bad input', () => {
  const w = world()
  const refusal = async (entries: unknown, options?: unknown): Promise<BuswayError> => {
    const error = await w
      .bus()
      .publishBatch('orders.paid', entries as [], options as object)
      .then(
        () => undefined,
        (failure: BuswayError) => failure,
      )
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
    return error as BuswayError
  }
  const cases: [string, unknown, string, string][] = [
    ['more than 1,000 entries', Array.from({ length: 1_001 }, () => ({ body: 1 })), 'BATCH_TOO_LARGE', '1001'],
    ['more than 1 MiB', Array.from({ length: 3 }, () => ({ body: 'x'.repeat(400_000) })), 'BATCH_TOO_LARGE', 'Split'],
    ['something else than a list', { body: 1 }, 'INVALID_OPTIONS', 'array'],
    ['an entry without a body', [{ body: 1 }, { key: 'x' }], 'INVALID_OPTIONS', 'entry 1'],
    ['an entry with a signal', [{ body: 1, signal: AbortSignal.timeout(1) }], 'INVALID_OPTIONS', 'third argument'],
    ['one bad body among good ones', [{ body: 1 }, { body: undefined }], 'INVALID_BODY', 'undefined'],
    ['one bad option among good ones', [{ body: 1 }, { body: 1, kye: 'x' }], 'INVALID_OPTIONS', '"key"'],
  ]
  for (const [what, entries, code, says] of cases) {
    it(`such as ${what} is ${code}, and nothing is written`, async () => {
      const error = await refusal(entries)
      expect(error.code).to.equal(code)
      expect(error.message).to.include(says)
    })
  }

  it('takes no entries, 1,000, and 1 MiB', async () => {
    const bus = w.bus()
    expect(await bus.publishBatch('orders.paid', [])).to.deep.equal([])
    expect(
      await bus.publishBatch(
        'orders.paid',
        Array.from({ length: 1_000 }, (_, body) => ({ body, key: `${body}` })),
      ),
    ).to.have.length(1_000)
    expect(
      await bus.publishBatch('orders.paid', [{ body: 'x'.repeat(500_000) }, { body: 'x'.repeat(500_000) }]),
    ).to.have.length(2)
  })
})

describe('a bus with bad options', () => {
  const cases: [string, unknown, string, string][] = [
    ['none', undefined, 'INVALID_OPTIONS', 'service'],
    ['no service', {}, 'INVALID_OPTIONS', 'service'],
    ['a service with a space', { service: 'a b' }, 'INVALID_OPTIONS', 'service'],
    ['an unknown option', { service: 'a', namspace: 'x' }, 'INVALID_OPTIONS', '"namespace"'],
    ['a namespace with a brace', { service: 'a', namespace: 'x{' }, 'INVALID_OPTIONS', 'namespace'],
    ['a payload limit that is none', { service: 'a', maxPayload: -1 }, 'INVALID_OPTIONS', 'maxPayload'],
    ['a timeout that is none', { service: 'a', publishTimeout: 'soon' }, 'INVALID_OPTIONS', 'publishTimeout'],
    ['a logger that is none', { service: 'a', logger: 'console' }, 'INVALID_OPTIONS', 'logger'],
    ['a logger without child', { service: 'a', logger: console }, 'INVALID_OPTIONS', 'child'],
    ['an address that is none', { service: 'a', redis: 6379 }, 'INVALID_OPTIONS', 'redis'],
    ['a keyPrefix', { service: 'a', redis: { keyPrefix: 'x' } }, 'CONFIG_INVALID', 'namespace'],
    ['a port that is none', { service: 'a', redis: { port: 99_999 } }, 'CONFIG_INVALID', 'port'],
  ]
  for (const [what, options, code, says] of cases) {
    it(`such as ${what} is not made`, () => {
      expect(() => createBus(options as { service: string }))
        .to.throw(says)
        .with.property('code', code)
    })
  }

  it('tells what it was called with after close', async () => {
    const bus = createBus({ service: 'a', logger: false })
    await bus.close()
    expect(await bus.publish('x', 1).catch(({ code }) => code)).to.equal('BUS_CLOSED')
    expect(() => bus.consume('x', () => {}))
      .to.throw()
      .with.property('code', 'BUS_CLOSED')
    expect(() => bus.on('nothing' as 'error', () => {}))
      .to.throw('connection')
      .with.property('code', 'INVALID_OPTIONS')
  })
})
