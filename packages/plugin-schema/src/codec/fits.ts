/**
 * Values against a schema where nearly all of them fit: functions made of it once, which say yes and nothing else. Whatever they do not say yes to is for
 * validate.ts, which knows what is wrong with it, or that nothing is.
 */
import { childrenOf, type Node, type RecordNode, reachable } from '../schema/node.js'
import { isPlainObject, isWellFormed, type LeafNode, problemOf } from './leaf.js'
import { MAX_DEPTH } from './limits.js'
import { leastBytes } from './sizes.js'

/** `true`: it fits. `false`: one has to look. */
export type Fits = (value: unknown) => boolean

const lookAtAll: Fits = () => false

/** Of a schema whose values can reach a bound, being within itself or having items that take no bytes, there is nothing to be said at once. */
export function fitsOf(node: Node): Fits {
  for (const each of reachable(node)) if (each.kind === 'array' && leastBytes(each.items) === 0) return lookAtAll
  return depthOf(node, new Map()) < MAX_DEPTH ? new Maker().of(node) : lookAtAll
}

/** How many records, arrays and maps are within each other, and what is within them all; without end in one that is within itself. */
function depthOf(node: Node, known: Map<Node, number>): number {
  const before = known.get(node)
  if (before !== undefined) return before
  known.set(node, Number.POSITIVE_INFINITY)
  const inside = childrenOf(node).reduce((most, child) => Math.max(most, depthOf(child, known)), 0)
  const depth = node.kind === 'union' ? inside : inside + 1
  known.set(node, depth)
  return depth
}

/** Makes one function of each node, wherever it is mentioned. */
class Maker {
  readonly #made = new Map<Node, Fits>()

  of(node: Node): Fits {
    const known = this.#made.get(node)
    if (known !== undefined) return known
    const made = this.#make(node)
    this.#made.set(node, made)
    return made
  }

  #make(node: Node): Fits {
    switch (node.kind) {
      case 'record':
        return recordFits(
          node,
          node.fields.map(({ type }) => this.of(type)),
        )
      case 'array':
        return arrayFits(this.of(node.items))
      case 'map':
        return mapFits(this.of(node.values))
      case 'union':
        return anyFits(node.branches.map((branch) => this.of(branch)))
      default:
        return leafFits(node)
    }
  }
}

function recordFits({ fields }: RecordNode, checks: readonly Fits[]): Fits {
  const names = fields.map(({ name }) => name)
  const known = new Set(names)
  const mayLack = fields.map((field) => field.default !== undefined)
  return (value) => {
    if (!isPlainObject(value)) return false
    for (let i = 0; i < names.length; i++) {
      const given = value[names[i] as string]
      if (given === undefined ? !mayLack[i] : !(checks[i] as Fits)(given)) return false
    }
    for (const name in value) if (!known.has(name)) return false
    return true
  }
}

function arrayFits(fits: Fits): Fits {
  return (value) => {
    if (!Array.isArray(value)) return false
    for (let i = 0; i < value.length; i++) if (!fits(value[i])) return false
    return true
  }
}

function mapFits(fits: Fits): Fits {
  return (value) => {
    if (!isPlainObject(value)) return false
    for (const key in value) if (key === '__proto__' || !isWellFormed(key) || !fits(value[key])) return false
    return true
  }
}

function anyFits(checks: readonly Fits[]): Fits {
  return (value) => {
    for (let i = 0; i < checks.length; i++) if ((checks[i] as Fits)(value)) return true
    return false
  }
}

function leafFits(node: LeafNode): Fits {
  const isLogical = 'logical' in node && node.logical !== undefined
  if (node.kind === 'string' && !isLogical) return (value) => typeof value === 'string' && isWellFormed(value)
  if (node.kind === 'double') return (value) => typeof value === 'number'
  return (value) => problemOf(node, value) === undefined
}
