import { expect } from 'chai'
import { BodyError } from '../../packages/plugin-schema/src/codec/bounds.js'
import { Codec } from '../../packages/plugin-schema/src/codec/codec.js'
import { record } from './equipped.js'

/** Zigzag and seven bits at a time, as Avro writes numbers. */
function long(value: bigint | number): number[] {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

const chain = record('Node', { name: 'next', type: ['null', 'Node'] })
const tree = record('Tree', { name: 'kids', type: { type: 'array', items: 'Tree' } })
const nothing = record('Nothing')

const bombs: [what: string, schema: unknown, bytes: number[], why: string][] = [
  [
    'an array of more items than there are bytes',
    { type: 'array', items: 'int' },
    long(2 ** 31),
    'items are said to be in',
  ],
  ['an array of 2^62 items', { type: 'array', items: 'int' }, long(2n ** 62n), 'items are said to be in'],
  [
    'a map of more entries than there are bytes',
    { type: 'map', values: 'null' },
    long(2 ** 31),
    'items are said to be in',
  ],
  ['a string of more bytes than there are', 'string', [...long(2 ** 40), 65], 'too early'],
  ['a string of negative length', 'string', [...long(-5), 65], 'a length is negative'],
  ['a million nulls in four bytes', { type: 'array', items: 'null' }, [...long(1_000_000), 0], 'more than 10000 items'],
  ['empty records', { type: 'array', items: nothing }, [...long(2 ** 31), 0], 'more than 10000 items'],
  [
    'empty items in many small arrays',
    { type: 'array', items: { type: 'array', items: 'null' } },
    [...long(100), ...Array.from({ length: 100 }, () => [...long(9_999), 0]).flat(), 0],
    'more than 10000 items',
  ],
  ['a chain of a million', chain, new Array(1_000_000).fill(2), 'nested deeper than 100'],
  ['arrays within arrays', tree, new Array(100_000).fill(2), 'nested deeper than 100'],
  ['a number that never ends', 'long', new Array(1_000).fill(0x80), 'more than ten bytes'],
  ['a long that avsc would take for another', 'long', long(2n ** 52n), 'beyond 2^52'],
  ['an int of 40 bits', 'int', long(2 ** 39), 'more than 32 bits'],
  ['a boolean of 2', 'boolean', [2], 'neither 0 nor 1'],
  ['a branch that its union has not', ['null', 'int'], long(2), 'union has no member 2'],
  ['a negative branch', ['null', 'int'], long(-1), 'union has no member -1'],
  ['a symbol that its enum has not', { type: 'enum', name: 'E', symbols: ['a'] }, long(1), 'E has no member 1'],
  [
    'a map that sets its own prototype',
    { type: 'map', values: 'int' },
    [...long(1), ...long(9), ...Buffer.from('__proto__'), 0, 0],
    'the key __proto__',
  ],
  [
    'a block that says to be smaller than it is, so that whoever skips it reads other things',
    { type: 'array', items: 'int' },
    [...long(-2), ...long(1), 2, 4, 0],
    'another size than it says',
  ],
  [
    'a block of negative size',
    { type: 'array', items: 'int' },
    [...long(-1), ...long(-4), 2, 0],
    'a length is negative',
  ],
]

describe('bodies made to hurt', () => {
  for (const [what, schema, bytes, why] of bombs) {
    it(`are refused: ${what}`, () => {
      const writer = new Codec(schema)
      // Also where the reader would skip what it does not know.
      const outer = new Codec(record('Outer', { name: 'bad', type: schema as object }))
      const later = new Codec(record('Outer', { name: 'good', type: 'int', default: 1 }))
      const body = (codec: Codec): Buffer =>
        Buffer.concat([Buffer.from([0xc3, 1]), codec.fingerprint, Buffer.from(bytes)])
      for (const read of [() => writer.readerOf(writer)(body(writer)), () => later.readerOf(outer)(body(outer))]) {
        const usedBefore = process.memoryUsage().arrayBuffers
        expect(read).to.throw(BodyError, why)
        expect(process.memoryUsage().arrayBuffers - usedBefore).to.be.lessThan(8 * 1024 * 1024)
      }
    })
  }
})
