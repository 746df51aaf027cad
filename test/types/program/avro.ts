// A stand-in for what @busway/plugin-schema will give: types from an Avro schema.
import type { StandardSchemaV1 } from '@busway/bus'

interface Primitives {
  null: null
  boolean: boolean
  int: number
  long: number
  float: number
  double: number
  bytes: Uint8Array
  string: string
}

export type InferSchema<S> = S extends keyof Primitives
  ? Primitives[S]
  : S extends readonly (infer U)[]
    ? U extends unknown
      ? InferSchema<U>
      : never
    : S extends { logicalType: 'timestamp-millis' }
      ? Date
      : S extends { type: 'record'; fields: infer F extends readonly { name: string; type: unknown }[] }
        ? Fields<F>
        : S extends { type: 'enum'; symbols: readonly (infer E)[] }
          ? E
          : S extends { type: 'array'; items: infer I }
            ? InferSchema<I>[]
            : S extends { type: infer I }
              ? InferSchema<I>
              : never

type Fields<F extends readonly { name: string; type: unknown }[]> = {
  [E in F[number] as E['name']]: InferSchema<E['type']>
}

export interface AvroSchema<T> extends StandardSchemaV1<T, T> {
  readonly fingerprint: Uint8Array
  readonly canonical: string
}

export declare function avro<const S>(schema: S): AvroSchema<InferSchema<S>>
