import { createBus, defineTopics } from '@busway/bus'
import { avro, schema } from '@busway/plugin-schema'
import { expect } from 'chai'
import { refusal } from '../plugins/refusal.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { bare, busOf, deadLetters, forger, record } from './equipped.js'

const Order = avro({
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'total', type: { type: 'bytes', logicalType: 'decimal', precision: 8, scale: 2 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'state', type: { type: 'enum', name: 'State', symbols: ['open', 'paid'] } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'counts', type: { type: 'map', values: 'int' } },
    { name: 'photo', type: 'bytes' },
    {
      name: 'lines',
      type: { type: 'array', items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] } },
    },
    { name: 'discount', type: ['null', 'int', 'double', 'State'], default: null },
  ],
} as const)

const order = {
  id: '0b2e2f6a-4a1e-4d5e-9f0a-2d1c6c1f9a11',
  total: '-12.50',
  at: new Date('2026-11-26T12:00:00.123Z'),
  state: 'paid',
  note: 'fragile',
  counts: { a: 1, b: -2 },
  photo: Uint8Array.of(0, 255),
  lines: [{ sku: 'x' }, { sku: 'y' }],
  discount: 0.5,
} as const

describe('bodies by Avro', () => {
  const world = makeWorld()

  it('arrive as they were published, logical types and unions among them', async () => {
    const bus = busOf(world, Order)
    const seen = new Received<unknown>()
    await bus.consume('orders', (message) => seen.add([message.contentType, message.body])).ready
    await bus.publish('orders', order)
    await bus.publishBatch('orders', [{ body: { ...order, note: null, discount: 'open' } }])
    const [first, second] = await seen.count(2)
    expect(first).to.deep.equal(['application/avro', { ...order, photo: Buffer.from(order.photo) }])
    expect(second).to.deep.equal([
      'application/avro',
      { ...order, photo: Buffer.from(order.photo), note: null, discount: 'open' },
    ])
  })

  it('are the single-object encoding on the wire: C3 01, the fingerprint, the value', async () => {
    const bus = busOf(world, avro('int'))
    const raw = bare(world, [], { service: 'raw' })
    await bus.publish('orders', 150)
    await raw.consume('orders', () => {}, { group: 'test' }).ready
    const [dead] = await deadLetters(world, raw)
    expect(dead?.error.message).to.contain('application/avro')
    expect(Buffer.from(dead?.body as Uint8Array).toString('hex')).to.equal('c3018f5c393f1ad57572ac02')
  })

  it('are shown decoded by the pages of the administration', async () => {
    const bus = busOf(world, avro(record('Order', { name: 'id', type: 'string' })))
    await bus.ready()
    await bus.consume('orders', () => Promise.reject(new Error('no')), { retry: false }).ready
    await bus.publish('orders', { id: '1' })
    const [dead] = await deadLetters(world, bus)
    expect(dead?.body).to.deep.equal({ id: '1' })
  })

  it('can be changed where they wait, and staged within a handler', async () => {
    const bus = busOf(world, avro(record('Order', { name: 'id', type: 'string' })))
    const seen = new Received<unknown>()
    const { id } = await bus.publish('orders', { id: '1' }, { delay: '1h' })
    expect(await bus.topic('orders').update(id, { body: { id: '2' }, delay: 0 })).to.equal(true)
    await bus.consume('orders', async ({ body }, ctx) => {
      seen.add(body)
      if ((body as { id: string }).id === '2') await ctx.publish('orders', { id: '3' })
    }).ready
    expect(await seen.count(2)).to.deep.equal([{ id: '2' }, { id: '3' }])
    const later = await bus.publish('orders', { id: '4' }, { delay: '1h' })
    const error = await refusal(() => bus.topic('orders').update(later.id, { body: { id: 2 } }))
    expect(error.code).to.equal('INVALID_BODY')
  })

  it('are refused with every path that is wrong, unknown fields among them, and nothing of the values', async () => {
    const bus = busOf(world, Order)
    const wrong = {
      ...order,
      id: 'secret',
      total: '1.234',
      at: new Date(Number.NaN),
      state: 'constructor',
      counts: { a: 2 ** 31 },
      lines: [{ sku: 'x' }, { sku: 'y', price: 3 }, {}],
      discount: {},
      extra: 1,
    }
    const error = await refusal(() => bus.publish('orders', wrong))
    expect(error.code).to.equal('INVALID_BODY')
    expect(error.message).not.to.contain('secret')
    const { issues } = error.details as { issues: { path: string; message: string }[] }
    expect(Object.fromEntries(issues.map(({ path, message }) => [path, message]))).to.deep.equal({
      'body.id': 'is no UUID',
      'body.total': 'has 3 decimals; the scale is 2',
      'body.at': 'is an invalid Date',
      'body.state': 'should be one of open, paid',
      'body.counts.a': 'should be a whole number of 32 bits',
      'body.lines[1].price': 'is no field of Line, which has sku',
      'body.lines[2].sku': 'is missing; it should be string',
      'body.discount': 'should be one of null, int, double, State, and is an object',
      'body.extra': 'is no field of Order, which has id, total, at, state, note, counts, photo, lines, discount',
    })
  })

  it('are refused where they are deeper, or emptier, than consumers would take', async () => {
    const bus = busOf(world, avro(record('Node', { name: 'next', type: ['null', 'Node'] })))
    let chain: unknown = null
    for (let i = 0; i < 100; i++) chain = { next: chain }
    await bus.publish('orders', chain)
    expect((await refusal(() => bus.publish('orders', { next: chain }))).message).to.contain('deeper than 100')
    const circle: { next?: unknown } = {}
    circle.next = circle
    expect((await refusal(() => bus.publish('orders', circle))).code).to.equal('INVALID_BODY')
    const nulls = busOf(world, avro({ type: 'array', items: 'null' }), {
      service: 'nulls',
      options: { compatibility: 'NONE' },
    })
    expect((await refusal(() => nulls.publish('orders', new Array(10_001).fill(null)))).message).to.contain('10000')
  })

  it('are refused with text that would arrive as another', async () => {
    const bus = busOf(world, avro({ type: 'map', values: 'string' }))
    const error = await refusal(() => bus.publish('orders', { a: 'x\ud800', 'b\udc00': 'y', c: '\ud83d\ude00' }))
    const { issues } = error.details as { issues: { message: string }[] }
    expect(issues.map(({ message }) => message)).to.deep.equal(new Array(2).fill('is text with half a character'))
  })

  it('that a plugin made unfit are refused as well', async () => {
    const bus = busOf(world, avro('string'), {
      plugins: [
        {
          name: 'spoiler',
          api: 1,
          setup: (scope) =>
            scope.publish('enrich', (batch, next) => {
              for (const message of batch.messages) message.body = 5
              return next()
            }),
        },
      ],
    })
    const error = await refusal(() => bus.publish('orders', 'x'))
    expect([error.code, error.message]).to.deep.equal([
      'INVALID_BODY',
      'The body on orders does not fit its schema: body: should be string, and is a number',
    ])
  })

  it('are dead letters with the cause if the bytes are broken, or nobody knows their schema', async () => {
    const Order = avro(record('Order', { name: 'tags', type: { type: 'array', items: 'string' } }))
    const bus = busOf(world, Order)
    const good = new Received<unknown>()
    await bus.consume('orders', ({ body }) => good.add(body)).ready
    await bus.publish('orders', { tags: [] })
    await good.count(1)
    const forge = bare(world, [forger()])
    const head = [0xc3, 0x01, ...Order.fingerprint]
    for (const [bytes, why] of [
      [[], 'does not begin with C3 01'],
      [[0xc3, 0x02, ...Order.fingerprint, 0], 'does not begin with C3 01'],
      [[0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0], 'No schema of the fingerprint 0102030405060708'],
      [head, 'ends within a number'],
      [[...head, 2, 10, 65], 'ends 4 bytes too early'],
      [[...head, 0, 0], '1 bytes follow its end'],
      [[...head, 0x80, 0x80, 0x80, 0x80, 0x10, 0], 'items are said to be in 1 bytes'],
      [[...head, 1, 0x40, 2, 65, 0], 'another size than it says'],
    ] as const) {
      await forge.publish('orders', Uint8Array.from(bytes))
      const [dead] = await deadLetters(world, bus)
      expect(dead?.reason).to.equal('undecodable')
      expect(dead?.error.message).to.contain(why)
      await bus.topic('orders').group('test').purge({ state: 'dead' })
    }
    expect(good.items).to.deep.equal([{ tags: [] }])
  })

  it('need the plugin: a bus without it says what to add', async () => {
    const bus = createBus({
      service: 'bare',
      redis: world.server.url,
      namespace: world.namespace,
      logger: false,
      topics: defineTopics({ orders: { body: avro('string') } }),
    })
    world.atEnd(() => bus.close())
    const error = await refusal(() => bus.ready())
    expect([error.code, error.message]).to.deep.equal([
      'CONFIG_INVALID',
      "The topic orders is defined with a schema that needs the plugin 'schema': add schema() of @busway/plugin-schema to this bus' plugins.",
    ])
    expect((await refusal(() => bus.publish('orders', 'x'))).code).to.equal('CONFIG_INVALID')
    expect((await refusal(() => bus.consume('orders', () => {}))).code).to.equal('CONFIG_INVALID')
  })

  it('are refused as schemas where they are none, saying where', async () => {
    for (const [schema, why] of [
      [{ type: 'record', name: 'A', fields: [{ name: 'b', type: 'strng' }] }, 'schema.b names the type "strng"'],
      [{ type: 'record', fields: [] }, 'is of type record and has no name'],
      [{ type: 'record', name: 'A', fields: [{ name: '__proto__', type: 'int' }] }, 'is taken by JavaScript'],
      [{ type: 'record', name: 'A){}', fields: [] }, 'is no name'],
      [{ type: 'record', name: 'A', fields: [{ name: 'b', type: 'int', default: 'x' }] }, 'incompatible field default'],
      [{ type: 'enum', name: 'A', symbols: ['a', 'a'] }, 'a symbol twice'],
      [[['int']], 'a union directly within a union'],
      [{ type: 'bytes', logicalType: 'decimal' }, 'takes a precision'],
      [null, 'did you mean "null"?'],
    ] as const) {
      const error = await refusal(() => avro(schema as unknown))
      expect([error.code, error.message.includes(why)], error.message).to.deep.equal(['INVALID_OPTIONS', true])
    }
    for (const [options, why] of [
      [{ compatibility: 'SIDEWAYS' }, 'one of BACKWARD'],
      [{ topics: { orders: 1 } }, 'topics["orders"]'],
      [{ cache: 0 }, 'cache'],
      [{ cash: 1 }, '"cash" is no option'],
    ] as const)
      expect((await refusal(() => schema(options as object))).message).to.contain(why)
  })
})
