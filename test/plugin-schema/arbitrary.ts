/** Random schemas, each with values of it, and with a later version of it that knows what those values are read as. */
import fc from 'fast-check'

/** A schema, what it may say, and how another version of it reads that. */
export interface Described {
  readonly schema: unknown
  readonly value: fc.Arbitrary<unknown>
  readonly later: { readonly schema: unknown; read(value: never): unknown }
}

type Shape = fc.Arbitrary<Described>

const same = (value: unknown): unknown => value
const whole = (min: number, max: number): fc.Arbitrary<unknown> => fc.integer({ min, max })
const bytes = (size?: number): fc.Arbitrary<unknown> =>
  fc
    .uint8Array(size === undefined ? { maxLength: 8 } : { minLength: size, maxLength: size })
    .map((array) => Buffer.from(array))
// Any text that UTF-8 can tell.
const text = fc.string({ unit: 'grapheme', maxLength: 6 })
const decimal = { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }
const instant = { type: 'long', logicalType: 'timestamp-millis' }

const leaf = (
  schema: unknown,
  value: fc.Arbitrary<unknown>,
  laters: [unknown, (value: never) => unknown][] = [],
): Shape =>
  fc
    .constantFrom([schema, same] as const, ...laters)
    .map(([later, read]) => ({ schema, value, later: { schema: later, read } }))

const leaves = {
  null: leaf('null', fc.constant(null)),
  boolean: leaf('boolean', fc.boolean()),
  int: leaf('int', whole(-(2 ** 31), 2 ** 31 - 1), [
    ['long', same],
    ['double', same],
  ]),
  long: leaf('long', whole(1 - 2 ** 52, 2 ** 52 - 1), [['double', same]]),
  // Minus zero is a float's alone.
  float: leaf('float', fc.float(), [['double', same]]),
  double: leaf('double', fc.double()),
  string: leaf('string', text, [['bytes', (value: string) => Buffer.from(value)]]),
  bytes: leaf('bytes', bytes()),
  uuid: leaf({ type: 'string', logicalType: 'uuid' }, fc.uuid(), [['string', same]]),
  instant: leaf(instant, fc.date({ min: new Date(1 - 2 ** 52), max: new Date(2 ** 52 - 1), noInvalidDate: true }), [
    ['long', (value: Date) => value.getTime()],
  ]),
  decimal: leaf(
    decimal,
    whole(-999_999_999, 999_999_999).map((n) => ((n as number) / 100).toFixed(2).replace(/^-0\.00$/, '0.00')),
  ),
}

const names = (at: string, count: number): string[] => Array.from({ length: count }, (_, i) => `f${i}_${at}`)

function enums(at: string): Shape {
  const schema = { type: 'enum', name: `E${at}`, symbols: ['a', 'b', 'c'] }
  const more = { ...schema, symbols: ['z', 'c', 'b', 'a'] }
  const fewer = { ...schema, symbols: ['c', 'other'], default: 'other' }
  return leaf(schema, fc.constantFrom('a', 'b', 'c'), [
    [more, same],
    [fewer, (value: string) => (value === 'c' ? value : 'other')],
  ])
}

const fixeds = (at: string): Shape => leaf({ type: 'fixed', name: `F${at}`, size: 3 }, bytes(3))

const arrays = (at: string, depth: number): Shape =>
  shapes(`${at}i`, depth - 1).map((items) => ({
    schema: { type: 'array', items: items.schema },
    value: fc.array(items.value, { maxLength: 4 }),
    later: {
      schema: { type: 'array', items: items.later.schema },
      read: (value: never[]) => value.map((item) => items.later.read(item)),
    },
  }))

const maps = (at: string, depth: number): Shape =>
  shapes(`${at}v`, depth - 1).map((values) => ({
    schema: { type: 'map', values: values.schema },
    value: fc
      .dictionary(text, values.value, { maxKeys: 3, noNullPrototype: true })
      .map(({ ['__proto__']: _, ...rest }) => rest),
    later: {
      schema: { type: 'map', values: values.later.schema },
      read: (value: Record<string, never>) =>
        Object.fromEntries(Object.entries(value).map(([key, item]) => [key, values.later.read(item)])),
    },
  }))

function records(at: string, depth: number): Shape {
  const fate = fc.constantFrom('stays', 'goes', 'renamed')
  const field = (name: string): fc.Arbitrary<{ name: string; shape: Described; fate: string }> =>
    fc.record({ name: fc.constant(name), shape: shapes(`${at}${name[1]}`, depth - 1), fate })
  return fc
    .integer({ min: 0, max: 3 })
    .chain((count) => fc.tuple(fc.tuple(...names(at, count).map(field)), fc.boolean(), fc.boolean()))
    .map(([fields, isTurned, hasMore]) => {
      const kept = fields.filter((each) => each.fate !== 'goes')
      const later = kept.map(({ name, shape, fate: what }) =>
        what === 'renamed'
          ? { name: `new_${name}`, aliases: [name], type: shape.later.schema }
          : { name, type: shape.later.schema },
      )
      if (isTurned) later.reverse()
      const more = hasMore ? [{ name: `more_${at}`, type: ['null', 'int'], default: null }] : []
      return {
        schema: {
          type: 'record',
          name: `R${at}`,
          fields: fields.map(({ name, shape }) => ({ name, type: shape.schema })),
        },
        value: fc.record(Object.fromEntries(fields.map(({ name, shape }) => [name, shape.value])), {
          noNullPrototype: true,
        }),
        later: {
          schema: { type: 'record', name: `R${at}`, fields: [...more, ...later] },
          read: (value: Record<string, never>) =>
            Object.fromEntries([
              ...kept.map(({ name, shape, fate: what }) => [
                what === 'renamed' ? `new_${name}` : name,
                shape.later.read(value[name] as never),
              ]),
              ...more.map(({ name }) => [name, null]),
            ]),
        },
      }
    })
}

/** Of branches whose values cannot be taken for each other's with another outcome. */
function unions(at: string, depth: number): Shape {
  // A decimal is a string as well, and would be written with all its decimals.
  const texts = fc.constantFrom([leaves.decimal], [leaves.string, leaves.bytes, enums(`${at}e`), fixeds(`${at}f`)])
  const branches = texts.chain((kinds) =>
    fc.tuple<Described[]>(
      ...[
        ...kinds,
        leaves.null,
        leaves.int,
        leaves.float,
        leaves.double,
        leaves.boolean,
        leaves.instant,
        arrays(`${at}a`, depth - 1),
        maps(`${at}m`, depth - 1),
        records(`${at}r`, depth - 1),
        records(`${at}s`, depth - 1),
      ],
    ),
  )
  return branches
    .chain((all) => fc.shuffledSubarray(all, { minLength: 1, maxLength: 4 }))
    .chain((chosen) =>
      fc.shuffledSubarray(chosen, { minLength: chosen.length }).map((turned) => ({
        schema: chosen.map(({ schema }) => schema),
        value: fc.oneof(...chosen.map(({ value }) => value)),
        later: { schema: turned.map(({ schema }) => schema), read: same },
      })),
    )
}

/** The later version also takes null. */
const optional = (shape: Shape): Shape =>
  shape.map((described) => {
    const { schema, read } = described.later
    const isUnion = Array.isArray(schema) || schema === 'null'
    return isUnion ? described : { ...described, later: { schema: ['null', schema], read } }
  })

/** `at`: where it is in the whole, for its names. */
export function shapes(at = '', depth = 3): Shape {
  const simple = [...Object.values(leaves), enums(at), fixeds(at)]
  const shape = fc.oneof(
    ...simple,
    ...(depth > 0
      ? [arrays(at, depth), maps(at, depth), records(at, depth), records(at, depth), unions(at, depth)]
      : []),
  )
  return fc.oneof({ arbitrary: shape, weight: 4 }, { arbitrary: optional(shape), weight: 1 })
}

/** With a value. */
export const spoken = (): fc.Arbitrary<Described & { readonly spoken: unknown }> =>
  shapes().chain((described) => described.value.map((value) => ({ ...described, spoken: value })))
