/** Schemas as text: the canonical form that is fingerprinted, and the full one that is kept. */
import { isNamed, type Logical, type Node } from './node.js'

/** The Parsing Canonical Form of the Avro specification: all that a reader of bytes must know. */
export const canonicalText = (node: Node): string => JSON.stringify(jsonOf(node, false, new Set()))

/** With what evolution needs as well, in one spelling: defaults, aliases, logical types. Without docs. */
export const fullText = (node: Node): string => JSON.stringify(jsonOf(node, true, new Set()))

function jsonOf(node: Node, full: boolean, defined: Set<string>): unknown {
  if (isNamed(node)) {
    if (defined.has(node.name)) return node.name
    defined.add(node.name)
  }
  const aliases = full && isNamed(node) && node.aliases.length > 0 ? { aliases: node.aliases } : {}
  switch (node.kind) {
    case 'record':
      return {
        name: node.name,
        type: 'record',
        fields: node.fields.map((field) => ({
          name: field.name,
          type: jsonOf(field.type, full, defined),
          ...(full && field.aliases.length > 0 ? { aliases: field.aliases } : {}),
          ...(full && field.default !== undefined ? { default: field.default.value } : {}),
        })),
        ...aliases,
      }
    case 'enum':
      return {
        name: node.name,
        type: 'enum',
        symbols: node.symbols,
        ...aliases,
        ...(full && node.default !== undefined ? { default: node.default } : {}),
      }
    case 'fixed':
      return { name: node.name, type: 'fixed', size: node.size, ...aliases, ...(full ? logicalJson(node.logical) : {}) }
    case 'array':
      return { type: 'array', items: jsonOf(node.items, full, defined) }
    case 'map':
      return { type: 'map', values: jsonOf(node.values, full, defined) }
    case 'union':
      return node.branches.map((branch) => jsonOf(branch, full, defined))
    default:
      return full && node.logical !== undefined ? { type: node.kind, ...logicalJson(node.logical) } : node.kind
  }
}

const logicalJson = (logical: Logical | undefined): object => {
  if (logical === undefined) return {}
  const { name, ...rest } = logical
  return name === 'other' ? rest : { logicalType: name, ...rest }
}
