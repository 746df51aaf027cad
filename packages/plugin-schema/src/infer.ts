/** What a body is in TypeScript, from its schema as a value. */

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

/** The type of what a schema describes; `Root` is where the types are defined that it names. */
export type InferSchema<S, Root = S> = S extends string
  ? S extends keyof Primitives
    ? Primitives[S]
    : Named<S, Root>
  : S extends readonly (infer Branch)[]
    ? Branch extends unknown
      ? InferSchema<Branch, Root>
      : never
    : S extends { readonly logicalType: 'timestamp-millis'; readonly type: 'long' }
      ? Date
      : S extends { readonly logicalType: 'decimal' }
        ? string
        : S extends { readonly type: 'record'; readonly fields: infer F extends readonly FieldSchema[] }
          ? RecordOf<F, Root>
          : S extends { readonly type: 'enum'; readonly symbols: readonly (infer Symbol)[] }
            ? Symbol
            : S extends { readonly type: 'fixed' }
              ? Uint8Array
              : S extends { readonly type: 'array'; readonly items: infer Items }
                ? InferSchema<Items, Root>[]
                : S extends { readonly type: 'map'; readonly values: infer Values }
                  ? { [key: string]: InferSchema<Values, Root> }
                  : S extends { readonly type: infer Inner }
                    ? InferSchema<Inner, Root>
                    : unknown

interface FieldSchema {
  readonly name: string
  readonly type: unknown
}

type RecordOf<F extends readonly FieldSchema[], Root> = {
  [Each in F[number] as Each['name']]: InferSchema<Each['type'], Root>
}

/** `unknown` for a name that is not found, as for a schema that is only known at run time. */
type Named<Name extends string, Root> = [Definition<Root, Name>] extends [never]
  ? unknown
  : InferSchema<Definition<Root, Name>, Root>

type Definition<Root, Name extends string> =
  Definitions<Root> extends infer D
    ? D extends { readonly name: Name }
      ? D
      : D extends { readonly name: infer Short extends string; readonly namespace: infer Space extends string }
        ? `${Space}.${Short}` extends Name
          ? D
          : never
        : never
    : never

type Definitions<S> = S extends string
  ? never
  : S extends readonly (infer Branch)[]
    ? Branch extends unknown
      ? Definitions<Branch>
      : never
    : S extends { readonly type: 'record'; readonly fields: readonly (infer F)[] }
      ? S | (F extends { readonly type: infer T } ? Definitions<T> : never)
      : S extends { readonly type: 'enum' | 'fixed' }
        ? S
        : S extends { readonly type: 'array'; readonly items: infer Items }
          ? Definitions<Items>
          : S extends { readonly type: 'map'; readonly values: infer Values }
            ? Definitions<Values>
            : S extends { readonly type: infer Inner }
              ? Definitions<Inner>
              : never
