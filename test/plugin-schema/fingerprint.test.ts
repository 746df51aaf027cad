/** The vectors are those of the Avro project, share/test/data/schema-tests.txt (Apache License 2.0); its Java code cross-checks them. */
import { avro } from '@busway/plugin-schema'
import { expect } from 'chai'
import { crc64 } from '../../packages/plugin-schema/src/schema/fingerprint.js'
import { parseSchema } from '../../packages/plugin-schema/src/schema/parse.js'
import { canonicalText } from '../../packages/plugin-schema/src/schema/text.js'

const vectors: [schema: unknown, canonical: string, fingerprint: bigint][] = [
  ['null', '"null"', 7195948357588979594n],
  [{ type: 'boolean' }, '"boolean"', -6970731678124411036n],
  ['int', '"int"', 8247732601305521295n],
  ['long', '"long"', -3434872931120570953n],
  ['float', '"float"', 5583340709985441680n],
  ['double', '"double"', -8181574048448539266n],
  ['bytes', '"bytes"', 5746618253357095269n],
  [{ type: 'string' }, '"string"', -8142146995180207161n],
  [['int', { type: 'boolean' }], '["int","boolean"]', 5392556393470105090n],
  [
    { fields: [], type: 'record', name: 'foo', namespace: 'x.y' },
    '{"name":"x.y.foo","type":"record","fields":[]}',
    5916914534497305771n,
  ],
  [
    { fields: [], type: 'record', name: 'a.b.foo', namespace: 'x.y' },
    '{"name":"a.b.foo","type":"record","fields":[]}',
    -4616218487480524110n,
  ],
  [
    { fields: [], type: 'record', name: 'foo', doc: 'foo', aliases: ['foo', 'bar'] },
    '{"name":"foo","type":"record","fields":[]}',
    -4824392279771201922n,
  ],
  [
    {
      fields: [
        { type: 'boolean', aliases: [], name: 'f1', default: true },
        { order: 'descending', name: 'f2', doc: 'Hello', type: 'int' },
      ],
      type: 'record',
      name: 'foo',
    },
    '{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"},{"name":"f2","type":"int"}]}',
    -4860222112080293046n,
  ],
  [
    { namespace: 'x.y.z', type: 'enum', name: 'foo', doc: 'foo bar', symbols: ['A1', 'A2'] },
    '{"name":"x.y.z.foo","type":"enum","symbols":["A1","A2"]}',
    -4448647247586288245n,
  ],
  [
    { namespace: 'x.y.z', type: 'fixed', name: 'foo', doc: 'foo bar', size: 32 },
    '{"name":"x.y.z.foo","type":"fixed","size":32}',
    -3064184465700546786n,
  ],
  [{ items: { type: 'null' }, type: 'array' }, '{"type":"array","items":"null"}', -589620603366471059n],
  [{ values: 'string', type: 'map' }, '{"type":"map","values":"string"}', -8732877298790414990n],
  [
    { name: 'PigValue', type: 'record', fields: [{ name: 'value', type: ['null', 'int', 'long', 'PigValue'] }] },
    '{"name":"PigValue","type":"record","fields":[{"name":"value","type":["null","int","long","PigValue"]}]}',
    -1759257747318642341n,
  ],
]

describe('the fingerprint of a schema', () => {
  for (const [schema, canonical, fingerprint] of vectors) {
    it(`is CRC-64-AVRO of ${canonical}`, () => {
      expect(canonicalText(parseSchema(schema))).to.equal(canonical)
      expect(BigInt.asIntN(64, crc64(Buffer.from(canonical)))).to.equal(fingerprint)
    })
  }

  it('is the least significant byte first, as it stands in a message', () => {
    // The header of the specification's single-object encoding for "int", without its C3 01.
    expect(Buffer.from(avro('int').fingerprint).toString('hex')).to.equal('8f5c393f1ad57572')
  })

  it('is that of a type by its full name, wherever its namespace is written', () => {
    const inner = { type: 'record', name: 'Line', fields: [{ name: 'again', type: ['null', 'Line'] }] }
    const a = avro({ type: 'record', name: 'Order', namespace: 'shop', fields: [{ name: 'line', type: inner }] })
    const b = avro({
      type: 'record',
      name: 'shop.Order',
      fields: [
        {
          name: 'line',
          type: { type: 'record', name: 'shop.Line', fields: [{ name: 'again', type: ['null', 'shop.Line'] }] },
        },
      ],
    })
    expect(a.canonical).to.equal(b.canonical).and.to.contain('"shop.Line"')
  })
})
