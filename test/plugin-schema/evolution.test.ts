import type { StandardSchemaV1 } from '@busway/bus'
import { avro, type Compatibility, schema } from '@busway/plugin-schema'
import { expect } from 'chai'
import { refusal } from '../plugins/refusal.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { bare, busOf, deadLetters, record } from './equipped.js'

const id = { name: 'id', type: 'string' }
const V1 = avro(record('Order', id, { name: 'count', type: 'int' }, { name: 'old', type: 'string' }))
/** A field more with a default, one promoted, one gone. */
const V2 = avro(
  record('Order', { name: 'note', type: 'string', default: 'none' }, id, { name: 'count', type: 'double' }),
)

describe('schemas that change', () => {
  const world = makeWorld()

  /** Publishes by one bus, consumes by another, in any order of their starts. */
  async function sent(
    writer: StandardSchemaV1<unknown, unknown>,
    reader: StandardSchemaV1<unknown, unknown>,
    body: unknown,
  ) {
    const options = { compatibility: 'NONE' } as const
    const producer = busOf(world, writer, { service: 'producer', options })
    const consumer = busOf(world, reader, { options })
    await producer.publish('orders', body)
    const seen = new Received<unknown>()
    await consumer.consume('orders', (message) => seen.add(message.body)).ready
    return { seen, consumer }
  }

  it('are read by newer ones: with defaults for what is new, without what is gone', async () => {
    const { seen } = await sent(V1, V2, { id: '1', count: 2, old: 'x' })
    expect((await seen.count(1))[0]).to.deep.equal({ note: 'none', id: '1', count: 2 })
  })

  it('are read by older ones', async () => {
    const Older = avro(record('Order', id))
    const { seen } = await sent(V2, Older, { id: '1', count: 2.5 })
    expect((await seen.count(1))[0]).to.deep.equal({ id: '1' })
  })

  it('keep logical types, unions and aliases through it', async () => {
    const when = { type: 'long', logicalType: 'timestamp-millis' }
    const price = { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 }
    const Old = avro(
      record('Trip', { name: 'at', type: when }, { name: 'price', type: ['null', price, 'int', 'double'] }),
    )
    const New = avro({
      ...record(
        'Journey',
        { name: 'at', type: ['null', when] },
        { name: 'fare', aliases: ['price'], type: ['null', price, 'double'] },
      ),
      aliases: ['Trip'],
    })
    const at = new Date(1_700_000_000_123)
    const { seen } = await sent(Old, New, { at, price: '7.5' })
    expect((await seen.count(1))[0]).to.deep.equal({ at, fare: '7.50' })
  })

  it('are read without any schema of the consumer as they were written', async () => {
    const at = new Date(1_700_000_000_123)
    const producer = busOf(
      world,
      avro(record('A', { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } })),
    )
    await producer.publish('orders', { at })
    const seen = new Received<unknown>()
    await bare(world, [schema()], { service: 'untyped' }).consume('orders', ({ body }) => seen.add(body)).ready
    expect((await seen.count(1))[0]).to.deep.equal({ at })
  })

  it('are dead letters where a consumer cannot read them, saying what is wrong where', async () => {
    const Strict = avro(record('Order', id, { name: 'lines', type: { type: 'array', items: record('Line', id) } }))
    const { consumer } = await sent(V1, Strict, { id: '1', count: 2, old: 'x' })
    const [dead] = await deadLetters(world, consumer)
    expect(dead?.reason).to.equal('undecodable')
    expect(dead?.error.message).to.contain('schema.lines: was not written, and has no default')
  })

  describe('are registered', () => {
    const narrow = avro(record('Order', id))
    const wider = avro(record('Order', id, { name: 'n', type: 'int', default: 0 }))
    const mandatory = avro(record('Order', id, { name: 'n', type: 'int' }))
    const other = avro(record('Order', { name: 'id', type: 'int' }))

    const starts = async (
      compatibility: Compatibility,
      ...schemas: StandardSchemaV1<unknown, unknown>[]
    ): Promise<string> => {
      for (const each of schemas) {
        const bus = busOf(world, each, { options: { compatibility } })
        try {
          await bus.ready()
        } catch (error) {
          return `${(error as { code: string }).code}: ${(error as Error).message}`
        }
      }
      return 'started'
    }

    it('once, as a version that the bus lists', async () => {
      await starts('BACKWARD', narrow, wider, narrow, wider)
      const bus = bare(world, [schema()]) as never as { schemas: { versions(topic: string): Promise<unknown[]> } }
      expect(await bus.schemas.versions('orders')).to.deep.equal([
        {
          version: 2,
          fingerprint: Buffer.from(wider.fingerprint).toString('hex'),
          schema:
            '{"name":"Order","type":"record","fields":[{"name":"id","type":"string"},{"name":"n","type":"int","default":0}]}',
        },
        { version: 1, fingerprint: Buffer.from(narrow.fingerprint).toString('hex'), schema: narrow.canonical },
      ])
      expect(await bus.schemas.versions('nothing')).to.deep.equal([])
    })

    it('by BACKWARD unless said otherwise: only if they read what the latest wrote', async () => {
      expect(await starts('BACKWARD', narrow, wider)).to.equal('started')
      const error = await refusal(() => busOf(world, other).ready())
      expect([error.code, error.message]).to.deep.equal([
        'CONFIG_INVALID',
        'The schema of orders is not BACKWARD compatible: it cannot read what version 2 wrote: schema.id: string was written, and is read as int. Give new fields defaults, or use a new topic; nothing was registered.',
      ])
    })

    it('not at all if they are refused', async () => {
      await starts('BACKWARD', narrow, other)
      expect(await world.redis.hgetall(`${world.namespace}:{$schema}:x:schema:latest`)).to.deep.equal({ orders: '1' })
      expect(await world.redis.hlen(`${world.namespace}:{$schema}:x:schema:schemas`)).to.equal(1)
    })

    for (const [mode, schemas, expected] of [
      ['BACKWARD', [narrow, mandatory], /it cannot read what version 1 wrote: schema\.n: was not written/],
      ['FORWARD', [narrow, mandatory], /^started$/],
      ['FORWARD', [mandatory, narrow], /version 1 cannot read what it writes: schema\.n: was not written/],
      ['FULL', [narrow, mandatory], /it cannot read/],
      ['FULL', [mandatory, narrow], /version 1 cannot read/],
      ['FULL', [narrow, wider], /^started$/],
      // Each reads the one before, and the third not the first.
      ['BACKWARD', [narrow, wider, mandatory], /^started$/],
      ['BACKWARD_TRANSITIVE', [narrow, wider, mandatory], /what version 1 wrote: schema\.n/],
      ['FORWARD', [mandatory, wider, narrow], /^started$/],
      ['FORWARD_TRANSITIVE', [mandatory, wider, narrow], /version 1 cannot read what it writes: schema\.n/],
      ['FULL_TRANSITIVE', [mandatory, wider, narrow], /version 1 cannot read/],
      ['NONE', [narrow, other], /^started$/],
    ] as const) {
      it(`by ${mode}: ${schemas.length} versions, ${expected}`, async () => {
        expect(await starts(mode, ...schemas)).to.match(expected)
      })
    }

    it('by the mode of their topic where it has one', async () => {
      await starts('BACKWARD', narrow)
      await busOf(world, other, { options: { topics: { orders: 'NONE' } } }).ready()
    })

    it('again with other defaults, which the fingerprint does not tell', async () => {
      const otherwise = avro(record('Order', id, { name: 'n', type: 'int', default: 7 }))
      await starts('FULL', wider, otherwise)
      expect(await world.redis.hget(`${world.namespace}:{$schema}:x:schema:latest`, 'orders')).to.equal('2')
      expect(await world.redis.hlen(`${world.namespace}:{$schema}:x:schema:schemas`)).to.equal(1)
    })

    it('not over another schema of the same fingerprint', async () => {
      const fingerprint = Buffer.from(narrow.fingerprint).toString('hex')
      await world.redis.hset(`${world.namespace}:{$schema}:x:schema:schemas`, fingerprint, '"int"\n"int"')
      expect(await starts('BACKWARD', narrow)).to.match(
        /^CONFIG_INVALID.*has the fingerprint .*, as another has: "int"/s,
      )
    })

    it('in one order, however many start at once: each is compatible with the one before', async () => {
      const schemas = Array.from({ length: 12 }, (_, i) =>
        avro(record('Order', id, { name: `f${i}`, type: 'int', ...(i % 3 === 0 ? {} : { default: 0 }) })),
      )
      const outcomes = await Promise.all(schemas.map((each) => starts('BACKWARD', each)))
      const versions = await (bare(world, [schema()]) as never as Versioned).schemas.versions('orders')
      expect(versions.map(({ version }) => version)).to.deep.equal(versions.map((_, i) => versions.length - i))
      const started = outcomes.filter((outcome) => outcome === 'started').length
      expect(versions.length).to.equal(started)
      expect(started).to.be.at.least(8)
      // What has no default can only be the first.
      for (const { version, schema: text } of versions) expect(version === 1 || text.includes('default')).to.equal(true)
    })
  })
})

interface Versioned {
  schemas: { versions(topic: string): Promise<{ version: number; schema: string }[]> }
}
