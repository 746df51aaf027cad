/** Avro schemas as what topics are defined with. */
import { BuswayError, type PluginSchema, type StandardSchemaV1 } from '@busway/bus'
import { Codec } from './codec/codec.js'
import { issuesOf } from './codec/validate.js'
import type { InferSchema } from './infer.js'
import { SchemaError } from './schema/parse.js'

/** An Avro schema: a Standard Schema whose bodies travel as Avro, on a bus with the plugin `schema()`. `T`: what it describes. */
export interface AvroSchema<T> extends StandardSchemaV1<T, T>, PluginSchema {
  /** CRC-64-AVRO of the canonical form, little-endian as in a message. */
  readonly fingerprint: Uint8Array
  /** The Parsing Canonical Form, whose fingerprint it is. */
  readonly canonical: string
  /** The schema as the registry keeps it, with what evolution needs besides: JSON, fit for an `.avsc` file. */
  readonly text: string
}

/** The type of the values of a schema that `avro` made. */
export type Infer<A> = A extends StandardSchemaV1<unknown, infer T> ? T : never

const PLUGIN = 'schema'
const codecs = new WeakMap<object, Codec>()

/** `undefined` for any other schema. One that another copy of this package made is known by what it says of itself. */
export function codecOf(schema: object | undefined): Codec | undefined {
  if (schema === undefined) return undefined
  const known = codecs.get(schema)
  if (known !== undefined) return known
  const { text, '~busway': needs } = schema as Partial<AvroSchema<unknown>>
  if (needs?.requires !== PLUGIN || text === undefined) return undefined
  const codec = new Codec(JSON.parse(text))
  codecs.set(schema, codec)
  return codec
}

/**
 * A topic's body as an Avro schema, from which its type follows. Published on a bus with `schema()`; on one without it is `CONFIG_INVALID`.
 *
 * `long` with `timestamp-millis` is a `Date`, `bytes` or `fixed` with `decimal` a string such as `'12.50'`, a union is one of its branches as it is. A field
 * that has a default may be left out at run time. Throws INVALID_OPTIONS for what is no schema, saying where.
 *
 * @example
 * const Order = avro({ type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }, { name: 'total', type: 'double' }] })
 * type Order = Infer<typeof Order> // { id: string; total: number }
 * const topics = defineTopics({ 'orders.created': Order })
 */
export function avro<const S>(schema: S): AvroSchema<InferSchema<S>> {
  const codec = compiled(schema)
  const made: AvroSchema<InferSchema<S>> = Object.freeze({
    fingerprint: Uint8Array.from(codec.fingerprint),
    canonical: codec.canonical,
    text: codec.text,
    '~busway': { requires: PLUGIN, add: 'schema() of @busway/plugin-schema' },
    '~standard': {
      version: 1,
      vendor: '@busway/plugin-schema',
      validate: (value: unknown) => {
        if (codec.fits(value)) return { value: value as InferSchema<S> }
        const issues = issuesOf(codec.node, value)
        return issues.length > 0 ? { issues } : { value: value as InferSchema<S> }
      },
    },
  } as const)
  codecs.set(made, codec)
  return made
}

function compiled(schema: unknown): Codec {
  try {
    return new Codec(schema)
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new BuswayError('INVALID_OPTIONS', `avro: ${error.message}.`, { cause: error })
  }
}
