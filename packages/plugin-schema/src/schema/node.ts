/** An Avro schema as it is worked with: names resolved, so that a schema which mentions itself is a circle of nodes. */

/** What a JavaScript value stands for where the schema names a logical type. */
export type Logical =
  | { readonly name: 'timestamp-millis' }
  | { readonly name: 'uuid' }
  | { readonly name: 'decimal'; readonly precision: number; readonly scale: number }
  /** Read and written as what it is made of, but not as another. */
  | { readonly name: 'other'; readonly logicalType: string }

export const primitiveKinds = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const

export interface PrimitiveNode {
  readonly kind: (typeof primitiveKinds)[number]
  readonly logical?: Logical | undefined
}

export interface Field {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: Node
  /** Absent: readers must find it. */
  readonly default?: { readonly value: unknown }
}

export interface RecordNode {
  readonly kind: 'record'
  readonly name: string
  readonly aliases: readonly string[]
  /** Filled while it is parsed, since its fields may mention it. */
  readonly fields: Field[]
}

export interface EnumNode {
  readonly kind: 'enum'
  readonly name: string
  readonly aliases: readonly string[]
  readonly symbols: readonly string[]
  readonly default?: string
}

export interface FixedNode {
  readonly kind: 'fixed'
  readonly name: string
  readonly aliases: readonly string[]
  /** Bytes. */
  readonly size: number
  readonly logical?: Logical | undefined
}

export interface ArrayNode {
  readonly kind: 'array'
  readonly items: Node
}

export interface MapNode {
  readonly kind: 'map'
  readonly values: Node
}

export interface UnionNode {
  readonly kind: 'union'
  readonly branches: readonly Node[]
}

export type NamedNode = RecordNode | EnumNode | FixedNode
export type Node = PrimitiveNode | NamedNode | ArrayNode | MapNode | UnionNode

export const isNamed = (node: Node): node is NamedNode =>
  node.kind === 'record' || node.kind === 'enum' || node.kind === 'fixed'

/** What tells the branches of one union apart on the wire. */
export const branchName = (node: Node): string => (isNamed(node) ? node.name : node.kind)

/** How errors call it. */
export const nameOf = (node: Node): string => {
  if (node.kind === 'union') return `one of ${node.branches.map(nameOf).join(', ')}`
  const logical = 'logical' in node ? node.logical : undefined
  if (logical === undefined) return branchName(node)
  return `${branchName(node)} (${logical.name === 'other' ? logical.logicalType : logical.name})`
}

/** The node and all that it leads to, each once. */
export function reachable(from: Node): Set<Node> {
  const found = new Set<Node>()
  const open: Node[] = [from]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue
    found.add(node)
    open.push(...childrenOf(node))
  }
  return found
}

/** What its values have within. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'record':
      return node.fields.map(({ type }) => type)
    case 'array':
      return [node.items]
    case 'map':
      return [node.values]
    case 'union':
      return node.branches
    default:
      return []
  }
}
