/** The fewest bytes that a value takes: so many items can't be in less. */
import type { Node } from '../schema/node.js'

const sizes = new WeakMap<Node, number>()

export function leastBytes(node: Node): number {
  const known = sizes.get(node)
  if (known !== undefined) return known
  // While it is being counted: a record within itself adds nothing to the least.
  sizes.set(node, 0)
  const size = count(node)
  sizes.set(node, size)
  return size
}

function count(node: Node): number {
  switch (node.kind) {
    case 'null':
      return 0
    case 'float':
      return 4
    case 'double':
      return 8
    case 'fixed':
      return node.size
    case 'record':
      return node.fields.reduce((sum, { type }) => sum + leastBytes(type), 0)
    case 'union':
      return 1 + Math.min(...node.branches.map(leastBytes))
    default:
      return 1
  }
}
