/** The decoder of envelopes, fed what no publisher would write. A value, or UNDECODABLE: anything else is a fault. */
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeBatch, encodeBatch, encodeProperties } from '../../packages/bus/src/wire/index.js'
import { messages, properties } from '../wire/batches.js'
import { HANG_MS, inputs, Slowest } from './effort.js'
import { mutated, mutation } from './mutations.js'

/** Everything that a consumer reads of a batch. */
function readAll(bytes: Buffer): 'decoded' | 'refused' {
  try {
    const envelope = decodeBatch(bytes)
    for (let i = 0; i < envelope.count; i++) {
      envelope.body(i)
      envelope.expiresAtMs(i)
      envelope.extra(i)
      envelope.contentType(i)
    }
    if (envelope.isPlain) envelope.parseAll()
    return 'decoded'
  } catch (error) {
    if ((error as { code?: unknown }).code === 'UNDECODABLE') return 'refused'
    throw error
  }
}

describe('the decoder of envelopes', function () {
  this.timeout(300_000)
  const slowest = new Slowest()
  const judge = (bytes: Buffer): 'decoded' | 'refused' => slowest.time(() => readAll(bytes))

  it('reads or refuses batches that were damaged on purpose', () => {
    const outcomes = { decoded: 0, refused: 0 }
    const numRuns = inputs(44_000)
    fc.assert(
      fc.property(
        properties,
        messages,
        fc.array(mutation, { minLength: 1, maxLength: 5 }),
        (said, batch, mutations) => {
          outcomes[judge(mutations.reduce(mutated, encodeBatch(1, encodeProperties(said), batch)))]++
        },
      ),
      { numRuns },
    )
    expect(outcomes.decoded + outcomes.refused).to.equal(numRuns)
    expect(outcomes.refused).to.be.greaterThan(numRuns / 10)
    expect(outcomes.decoded).to.be.greaterThan(numRuns / 100)
    expect(slowest.ms).to.be.lessThan(HANG_MS)
  })

  it('reads or refuses bytes that begin as a batch does', () => {
    const start = fc.constantFrom([], [1], [1, 0, 1, 0], [1, 1, 2, 0], [1, 2, 1, 0], [1, 3, 255, 255])
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 120 }), (head, rest) => {
        judge(Buffer.from([...head, ...rest]))
      }),
      { numRuns: inputs(20_000) },
    )
    expect(slowest.ms).to.be.lessThan(HANG_MS)
  })

  describe('is not blown up by', () => {
    const one = (said: Buffer, extras: Buffer = Buffer.alloc(0), body = '1'): Buffer => {
      const head = Buffer.from([1, extras.length > 0 ? 2 : 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      head.writeUInt16LE(said.length, 10)
      const table = (end: number): Buffer => {
        const bytes = Buffer.alloc(8)
        bytes.writeUInt32LE(end, 4)
        return bytes
      }
      const text = Buffer.from(`${body},`)
      const extraTable = extras.length > 0 ? [table(extras.length), extras] : []
      return Buffer.concat([head, said, table(text.length), ...extraTable, text])
    }
    const source = Buffer.from([1, 1, 0, 0x73])
    const u32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24]
    const bombs: readonly (readonly [what: string, make: () => Buffer])[] = [
      ['65,535 messages that are not there', () => Buffer.from([1, 3, 255, 255, ...new Array(40).fill(0)])],
      ['65,535 empty bodies', () => manyMessages(65_535)],
      ['sizes of four gigabytes', () => Buffer.concat([one(source).subarray(0, 16), Buffer.alloc(64, 0xff)])],
      ['21,000 keys that it owns', () => one(Buffer.concat([source, repeated([4, 0, 0], 21_000)]))],
      ['21,000 properties to be skipped', () => one(Buffer.concat([source, repeated([200, 0, 0], 21_000)]))],
      ['a million empty headers', () => one(source, repeated([3, ...u32(2), 0, 0], 1_000_000))],
      ['a header that begins where the next does', () => one(source, Buffer.from([3, ...u32(2), 255, 255]))],
      ['a body nested deep', () => one(source, undefined, '['.repeat(300_000))],
      ['a body nested deep and closed', () => one(source, undefined, '['.repeat(200_000) + ']'.repeat(200_000))],
      ['a number of a million digits', () => one(source, undefined, '9'.repeat(1_000_000))],
      ['a body that sets a prototype', () => one(source, undefined, '{"__proto__":{"polluted":true}}')],
      ['reportTo nested a thousand deep', () => one(Buffer.concat([source, property(5, '['.repeat(60_000))]))],
    ]
    for (const [what, make] of bombs)
      it(what, () => {
        const bytes = make()
        const before = process.memoryUsage()
        const time = new Slowest()
        time.time(() => readAll(bytes))
        expect(time.ms).to.be.lessThan(HANG_MS / 2)
        const now = process.memoryUsage()
        expect(now.arrayBuffers - before.arrayBuffers).to.be.lessThan(16 * bytes.length + 2 ** 20)
        expect({}).not.to.have.property('polluted')
      })
  })
})

const repeated = (bytes: readonly number[], times: number): Buffer =>
  Buffer.alloc(bytes.length * times, Buffer.from(bytes))

function property(tag: number, value: string): Buffer {
  const head = Buffer.from([tag, 0, 0])
  head.writeUInt16LE(value.length, 1)
  return Buffer.concat([head, Buffer.from(value)])
}

function manyMessages(count: number): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1, 0, 0x73])
  head.writeUInt16LE(count, 2)
  const table = Buffer.alloc(4 * (count + 1))
  for (let i = 0; i <= count; i++) table.writeUInt32LE(2 * i, 4 * i)
  return Buffer.concat([head, table, Buffer.from('0,'.repeat(count))])
}
