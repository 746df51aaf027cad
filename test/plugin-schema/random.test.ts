import { defineTopics } from '@busway/bus'
import { avro, schema } from '@busway/plugin-schema'
import avsc from 'avsc'
import { expect } from 'chai'
import fc from 'fast-check'
import { BodyError } from '../../packages/plugin-schema/src/codec/bounds.js'
import { Codec } from '../../packages/plugin-schema/src/codec/codec.js'
import { issuesOf } from '../../packages/plugin-schema/src/codec/validate.js'
import { conflicts } from '../../packages/plugin-schema/src/schema/compatibility.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { type Described, shapes, spoken } from './arbitrary.js'
import { bare } from './equipped.js'

const runs = { numRuns: 300 }

describe('random schemas and values', function () {
  this.timeout(60_000)

  it('come back as they went', () => {
    let atOnce = 0
    fc.assert(
      fc.property(spoken(), ({ schema: given, spoken: value }) => {
        const codec = new Codec(given)
        expect(issuesOf(codec.node, value)).to.deep.equal([])
        if (codec.fits(value)) atOnce++
        expect(plain(codec.readerOf(codec)(codec.encode(value)))).to.deep.equal(value)
      }),
      runs,
    )
    expect(atOnce, 'said to fit without looking').to.be.greaterThan(runs.numRuns * 0.8)
  })

  it('are said to fit at once only where nothing is wrong, whatever is put into them', () => {
    let wrong = 0
    fc.assert(
      fc.property(
        spoken(),
        fc.anything({ withDate: true, withTypedArray: true }),
        fc.nat(),
        ({ schema: given, spoken: value }, odd, at) => {
          const codec = new Codec(given)
          const mixed = withOneReplaced(value, odd, at)
          const isRight = issuesOf(codec.node, mixed).length === 0
          if (!isRight) wrong++
          if (codec.fits(mixed)) expect(isRight).to.equal(true)
        },
      ),
      runs,
    )
    expect(wrong).to.be.greaterThan(runs.numRuns / 4)
  })

  it('are read by later versions as those say, and are found compatible', () => {
    fc.assert(
      fc.property(spoken(), ({ schema: given, later, spoken: value }) => {
        const writer = new Codec(given)
        const reader = new Codec(later.schema)
        expect(conflicts(reader.node, writer.node)).to.deep.equal([])
        expect(plain(reader.readerOf(writer)(writer.encode(value)))).to.deep.equal(later.read(value as never))
      }),
      runs,
    )
  })

  it('are the same schema by the text that is kept of them', () => {
    fc.assert(
      fc.property(shapes(), ({ schema: given }) => {
        const codec = new Codec(given)
        const again = new Codec(JSON.parse(codec.text))
        expect([again.text, again.canonical]).to.deep.equal([codec.text, codec.canonical])
        // avsc has its own way to the canonical form.
        expect(canonicalByAvsc(codec.text)).to.equal(codec.canonical)
      }),
      runs,
    )
  })

  it('are compatible exactly if avsc can resolve them, but for logical types that differ', () => {
    let compatible = 0
    fc.assert(
      fc.property(shapes('', 2), shapes('', 2), ({ schema: a, later }, { schema: b }) => {
        for (const [reader, writer] of [
          [a, b],
          [later.schema, b],
          [later.schema, a],
        ]) {
          const [one, other] = [new Codec(reader), new Codec(writer)]
          const found = conflicts(one.node, other.node)
          if (found.length === 0) compatible++
          const isLogical = found.some(({ message }) => message.includes('('))
          if (!isLogical)
            expect(found.length === 0, JSON.stringify({ reader, writer, found })).to.equal(resolves(one, other))
        }
      }),
      { numRuns: 500 },
    )
    expect(compatible).to.be.greaterThan(500)
  })

  it('as broken bytes are refused or read, and never crash or run away', () => {
    const broken = spoken().chain((one) => {
      const codec = new Codec(one.schema)
      const bytes = codec.encode(one.spoken)
      const edits = fc.array(
        fc.tuple(fc.nat(Math.max(0, bytes.length - 1)), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff, 0xfe), fc.boolean()),
        { minLength: 1, maxLength: 4 },
      )
      return fc
        .tuple(edits, fc.uint8Array({ maxLength: 40 }))
        .map(([changes, tail]) => ({ one, codec, bytes, changes, tail }))
    })
    fc.assert(
      fc.property(broken, ({ one, codec, bytes, changes, tail }) => {
        const changed = Buffer.from(bytes)
        let kept = changed.length
        for (const [at, byte, cuts] of changes) {
          if (cuts) kept = Math.min(kept, at)
          else changed[at] = byte
        }
        const later = new Codec(one.later.schema)
        for (const body of [changed.subarray(0, kept), Buffer.concat([bytes.subarray(0, 10), tail])])
          for (const reader of [codec, later]) {
            const startMs = performance.now()
            try {
              reader.readerOf(codec)(body)
            } catch (error) {
              expect(error).to.be.instanceOf(BodyError)
            }
            expect(performance.now() - startMs).to.be.lessThan(1_000)
          }
      }),
      { numRuns: 1_000 },
    )
  })

  describe('on a bus', () => {
    const world = makeWorld()

    it('arrive as they were published, at consumers that know them and at those that know later versions', async () => {
      const described: (Described & { spoken: unknown })[] = fc.sample(spoken(), 40)
      const topicsOf = (schemaOf: (one: Described) => unknown) =>
        defineTopics(Object.fromEntries(described.map((one, i) => [`random.${i}`, avro(schemaOf(one))])))
      const mode = { compatibility: 'NONE' } as const
      const producer = bare(world, [schema(mode)], { service: 'now', topics: topicsOf((one) => one.schema) })
      const later = bare(world, [schema(mode)], { service: 'later', topics: topicsOf((one) => one.later.schema) })
      const seen = new Received<readonly [string, unknown]>()
      for (const [i, { spoken: value }] of described.entries()) {
        const topic = `random.${i}`
        await Promise.all(
          [producer, later].map(
            (bus) => bus.consume(topic, ({ body }) => seen.add([`${bus.inspect().service} ${i}`, plain(body)])).ready,
          ),
        )
        await producer.publish(topic, value)
      }
      await seen.until((items) => new Set(items.map(([who]) => who)).size === 80, 'each by both')
      for (const [who, body] of seen.items) {
        const [service, i] = who.split(' ')
        const one = described[Number(i)] as (typeof described)[number]
        expect(body, who).to.deep.equal(service === 'now' ? one.spoken : one.later.read(one.spoken as never))
      }
    })
  })
})

/** avsc makes records of classes of their own. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

const avscType = (text: string) => avsc.Type.forSchema(JSON.parse(text), { wrapUnions: 'auto' })

const canonicalByAvsc = (text: string): string => JSON.stringify(avscType(text).schema())

function resolves(reader: Codec, writer: Codec): boolean {
  try {
    avscType(reader.text).createResolver(avscType(writer.text))
    return true
  } catch {
    return false
  }
}

/** A copy in which one of its values, or something that it did not have, is `odd`. */
function withOneReplaced(value: unknown, odd: unknown, at: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return odd
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value }
  const names = [...Object.keys(copy), Array.isArray(value) ? String(value.length) : 'unknown']
  const name = names[at % names.length] as string
  const given = (copy as Record<string, unknown>)[name]
  ;(copy as Record<string, unknown>)[name] =
    given === undefined ? odd : withOneReplaced(given, odd, Math.floor(at / names.length))
  return copy
}
