/** avsc's types, with unions that a later version reads as what was written where it can. */
// The package is CommonJS, and names its exports in a way that Node does not see.
import avsc from 'avsc'
import { wraps } from './buckets.js'

/** Of a schema's text. Throws avsc's errors. */
export const typeOf = (text: string): avsc.Type =>
  avsc.Type.forSchema(JSON.parse(text), { typeHook, omitRecordMethods: true, wrapUnions: 'auto' })

/** What of avsc's unions is used that its types do not tell; the version is pinned. */
interface UnionClass {
  new (types: readonly avsc.Type[], options: unknown): avsc.Type
  readonly prototype: { _update: Update }
}
type Update = (
  this: { readonly types: readonly avsc.Type[] },
  resolver: unknown,
  writer: avsc.Type,
  options: unknown,
) => void

const typeHook = (schema: unknown, options: Partial<ForSchema>): avsc.Type | undefined => {
  if (!Array.isArray(schema)) return undefined
  const types = schema.map((branch) => avsc.Type.forSchema(branch, options))
  const Union = wraps(types.map(({ typeName }) => typeName)) ? Wrapped : Unwrapped
  return new Union(types, options)
}
type ForSchema = NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>

/**
 * By the specification the first branch of a union that can read a value reads it: an int by a double, or as a Date, where the union has an int as well. Here
 * the branch of the same type goes first, whichever comes first in the schema.
 */
function preferring(Union: UnionClass): UnionClass {
  class PreferringUnion extends Union {
    _update(resolver: unknown, writer: avsc.Type, options: unknown): void {
      const { types } = this as unknown as { types: readonly avsc.Type[] }
      const isSame = (type: avsc.Type): boolean => type.typeName === writer.typeName && type.name === writer.name
      const ordered = [...types.filter(isSame), ...types.filter((type) => !isSame(type))]
      Union.prototype._update.call({ types: ordered }, resolver, writer, options)
    }
  }
  return PreferringUnion
}

const { UnwrappedUnionType, WrappedUnionType } = avsc.types as unknown as Record<string, UnionClass>
const Unwrapped = preferring(UnwrappedUnionType as UnionClass)
const Wrapped = preferring(WrappedUnionType as UnionClass)
