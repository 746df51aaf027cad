/** Between the values that handlers have and those of avsc, where they differ: Dates, decimals, bytes, and unions that avsc wraps. Elsewhere nothing is done. */
import { decimalFromBytes, decimalToBytes } from '../schema/decimal.js'
import { branchName, type Node, reachable, type UnionNode } from '../schema/node.js'
import { bucketOf, bucketOfValue, wraps } from './buckets.js'
import { branchFor } from './validate.js'

export type Conversion = (value: unknown) => unknown

/** `undefined`: it is the same. The value fits the schema. */
export const toAvsc = (node: Node): Conversion | undefined => new Converter(outward).conversion(node)

/** `undefined`: it is the same. The value is avsc's own, and may be changed in its place. */
export const fromAvsc = (node: Node): Conversion | undefined => new Converter(inward).conversion(node)

interface Direction {
  /** Of the node itself, without what is within it. */
  changes(node: Node): boolean
  leaf(node: Node): Conversion
  union(node: UnionNode, of: (branch: Node) => Conversion | undefined): Conversion
  record(conversions: readonly (readonly [string, Conversion | undefined])[]): Conversion
  map(values: Conversion): Conversion
}

class Converter {
  readonly #direction: Direction
  readonly #made = new Map<Node, Conversion>()

  constructor(direction: Direction) {
    this.#direction = direction
  }

  conversion(node: Node): Conversion | undefined {
    if (![...reachable(node)].some((inner) => this.#direction.changes(inner))) return undefined
    const made = this.#made.get(node)
    if (made !== undefined) return made
    // Within itself it is what will have been made.
    this.#made.set(node, (value) => (this.#made.get(node) as Conversion)(value))
    const conversion = this.#make(node)
    this.#made.set(node, conversion)
    return conversion
  }

  #make(node: Node): Conversion {
    switch (node.kind) {
      case 'record':
        return this.#direction.record(node.fields.map(({ name, type }) => [name, this.conversion(type)] as const))
      case 'array': {
        const items = this.conversion(node.items) as Conversion
        return (value) => (value as unknown[]).map(items)
      }
      case 'map':
        return this.#direction.map(this.conversion(node.values) as Conversion)
      case 'union': {
        // Before it is needed, so that what a body can do is only to run.
        const conversions = new Map(node.branches.map((branch) => [branch, this.conversion(branch)]))
        return this.#direction.union(node, (branch) => conversions.get(branch))
      }
      default:
        return this.#direction.leaf(node)
    }
  }
}

const isLogical = (node: Node): boolean =>
  'logical' in node && (node.logical?.name === 'decimal' || node.logical?.name === 'timestamp-millis')

const outward: Direction = {
  changes: (node) => isLogical(node) || node.kind === 'bytes' || node.kind === 'fixed' || isWrapped(node),
  leaf(node) {
    const logical = 'logical' in node ? node.logical : undefined
    if (logical?.name === 'timestamp-millis') return (value) => (value as Date).getTime()
    const size = node.kind === 'fixed' ? node.size : undefined
    if (logical?.name === 'decimal') return (value) => decimalToBytes(value as string, logical, size)
    return (value) => asBuffer(value as Uint8Array)
  },
  union(node, of) {
    const wrapped = isWrapped(node)
    return (value) => {
      if (value === null) return null
      const branch = branchFor(node, value)
      if (branch === undefined) throw new TypeError('it fits no branch of its union')
      const conversion = of(branch)
      const converted = conversion === undefined ? value : conversion(value)
      return wrapped ? { [branchName(branch)]: converted } : converted
    }
  },
  record: (conversions) => (value) => {
    const converted: Record<string, unknown> = {}
    for (const [name, conversion] of conversions) {
      const given = (value as Record<string, unknown>)[name]
      converted[name] = conversion === undefined || given === undefined ? given : conversion(given)
    }
    return converted
  },
  map: (values) => (value) =>
    Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, values(item)])),
}

const inward: Direction = {
  changes: (node) => isLogical(node) || isWrapped(node),
  leaf(node) {
    const logical = 'logical' in node ? node.logical : undefined
    if (logical?.name === 'timestamp-millis') return (value) => new Date(value as number)
    if (logical?.name === 'decimal') return (value) => decimalFromBytes(value as Buffer, logical)
    return (value) => value
  },
  union(node, of) {
    const byName = new Map(node.branches.map((branch) => [branchName(branch), of(branch)]))
    const wrapped = isWrapped(node)
    const only = wrapped ? undefined : unwrapped(node, of)
    return (value) => {
      if (value === null) return null
      if (!wrapped) return (only as Conversion)(value)
      const [[name, wrappedValue] = ['', value]] = Object.entries(value as object)
      const conversion = byName.get(name)
      return conversion === undefined ? wrappedValue : conversion(wrappedValue)
    }
  },
  record: (conversions) => {
    const changed = conversions.filter((entry): entry is readonly [string, Conversion] => entry[1] !== undefined)
    return (value) => {
      const record = value as Record<string, unknown>
      for (const [name, conversion] of changed) record[name] = conversion(record[name])
      return record
    }
  },
  map: (values) => (value) => {
    const map = value as Record<string, unknown>
    for (const key of Object.keys(map)) map[key] = values(map[key])
    return map
  },
}

/** What avsc gave tells the branch by its type. */
function unwrapped(node: UnionNode, of: (branch: Node) => Conversion | undefined): Conversion {
  const byBucket = new Map(node.branches.map((branch) => [bucketOf(branch.kind), of(branch)]))
  return (value) => {
    const conversion = byBucket.get(bucketOfValue(value))
    return conversion === undefined ? value : conversion(value)
  }
}

const isWrapped = (node: Node): boolean => node.kind === 'union' && wraps(node.branches.map(({ kind }) => kind))

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
