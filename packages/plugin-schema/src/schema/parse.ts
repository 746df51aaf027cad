/**
 * From a schema's JSON to its nodes. Other programs' schemas come from the registry, so nothing is taken on trust: names become code in avsc, and
 * sizes memory.
 */
import { branchName, type Logical, type NamedNode, type Node, type PrimitiveNode, primitiveKinds } from './node.js'

/** What is wrong with a schema, and where in it. */
export class SchemaError extends Error {}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const MAX_DEPTH = 100
const MAX_FIXED_BYTES = 1024 * 1024

/** Throws SchemaError. */
export const parseSchema = (schema: unknown): Node => new Parser().parse(schema, '', 'schema', 0)

type Json = Readonly<Record<string, unknown>>

class Parser {
  readonly #named = new Map<string, NamedNode>()

  parse(schema: unknown, namespace: string, at: string, depth: number): Node {
    if (depth > MAX_DEPTH) throw new SchemaError(`${at} is nested deeper than ${MAX_DEPTH}`)
    if (typeof schema === 'string') return this.#reference(schema, namespace, at)
    if (Array.isArray(schema)) return this.#union(schema, namespace, at, depth)
    if (typeof schema !== 'object' || schema === null)
      throw new SchemaError(`${at} is ${schema === null ? 'null (did you mean "null"?)' : typeof schema}`)
    const json = schema as Json
    switch (json.type) {
      case 'record':
        return this.#record(json, namespace, at, depth)
      case 'enum':
        return this.#enum(json, namespace, at)
      case 'fixed':
        return this.#fixed(json, namespace, at)
      case 'array':
        return { kind: 'array', items: this.parse(json.items, namespace, `${at}.items`, depth + 1) }
      case 'map':
        return { kind: 'map', values: this.parse(json.values, namespace, `${at}.values`, depth + 1) }
      case undefined:
        throw new SchemaError(`${at} has no type`)
      default: {
        const inner = this.parse(json.type, namespace, `${at}.type`, depth + 1)
        return isPrimitive(inner) ? { kind: inner.kind, logical: logicalOf(json, inner.kind, at) } : inner
      }
    }
  }

  #reference(name: string, namespace: string, at: string): Node {
    if ((primitiveKinds as readonly string[]).includes(name)) return { kind: name as PrimitiveNode['kind'] }
    const found = this.#named.get(qualified(name, namespace)) ?? this.#named.get(name)
    if (found === undefined) throw new SchemaError(`${at} names the type ${JSON.stringify(name)}, which is not defined`)
    return found
  }

  #union(branches: readonly unknown[], namespace: string, at: string, depth: number): Node {
    if (branches.length === 0) throw new SchemaError(`${at} is a union of nothing`)
    const nodes = branches.map((branch, i) => this.parse(branch, namespace, `${at}[${i}]`, depth + 1))
    const names = nodes.map((node) => (node.kind === 'union' ? 'union' : branchName(node)))
    const twice = names.find((name, i) => names.indexOf(name) < i)
    if (names.includes('union')) throw new SchemaError(`${at} is a union directly within a union`)
    if (twice !== undefined) throw new SchemaError(`${at} is a union with two of ${twice}`)
    return { kind: 'union', branches: nodes }
  }

  #record(json: Json, enclosing: string, at: string, depth: number): Node {
    const { name, namespace, aliases } = this.#nameOf(json, enclosing, at)
    const node: NamedNode = { kind: 'record', name, aliases, fields: [] }
    this.#named.set(name, node)
    if (!Array.isArray(json.fields)) throw new SchemaError(`${at} is a record without a list of fields`)
    for (const [i, field] of json.fields.entries()) {
      const where = `${at}.fields[${i}]`
      if (typeof field !== 'object' || field === null) throw new SchemaError(`${where} is no field`)
      const fieldName = checkedName(field.name, where)
      if (node.fields.some((other) => other.name === fieldName))
        throw new SchemaError(`${at} has two fields named ${fieldName}`)
      node.fields.push({
        name: fieldName,
        aliases: listOf(field.aliases, `${where}.aliases`).map((alias) => checkedName(alias, `${where}.aliases`)),
        type: this.parse(field.type, namespace, `${at}.${fieldName}`, depth + 1),
        ...('default' in field ? { default: { value: field.default } } : {}),
      })
    }
    return node
  }

  #enum(json: Json, enclosing: string, at: string): Node {
    const { name, aliases } = this.#nameOf(json, enclosing, at)
    const symbols = listOf(json.symbols, `${at}.symbols`).map((symbol) => checkedName(symbol, `${at}.symbols`))
    if (symbols.length === 0) throw new SchemaError(`${at} is an enum without symbols`)
    if (new Set(symbols).size < symbols.length) throw new SchemaError(`${at} is an enum with a symbol twice`)
    const fallback = json.default
    if (fallback !== undefined && !symbols.includes(fallback as string))
      throw new SchemaError(`${at}: the default ${JSON.stringify(fallback)} is none of its symbols`)
    const node: NamedNode = {
      kind: 'enum',
      name,
      aliases,
      symbols,
      ...(fallback === undefined ? {} : { default: fallback as string }),
    }
    this.#named.set(name, node)
    return node
  }

  #fixed(json: Json, enclosing: string, at: string): Node {
    const { name, aliases } = this.#nameOf(json, enclosing, at)
    const size = json.size as number
    if (!Number.isInteger(size) || size < 0 || size > MAX_FIXED_BYTES)
      throw new SchemaError(`${at}.size is not 0 to ${MAX_FIXED_BYTES} bytes`)
    const node: NamedNode = { kind: 'fixed', name, aliases, size, logical: logicalOf(json, 'fixed', at) }
    this.#named.set(name, node)
    return node
  }

  #nameOf(json: Json, enclosing: string, at: string): { name: string; namespace: string; aliases: string[] } {
    if (typeof json.name !== 'string') throw new SchemaError(`${at} is of type ${json.type} and has no name`)
    const name = qualified(json.name, typeof json.namespace === 'string' ? json.namespace : enclosing)
    for (const part of name.split('.')) checkedName(part, `${at}.name`)
    if ((primitiveKinds as readonly string[]).includes(name))
      throw new SchemaError(`${at} is named ${name}, as a primitive type`)
    if (this.#named.has(name)) throw new SchemaError(`${at} defines ${name} a second time`)
    const namespace = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : ''
    const aliases = listOf(json.aliases, `${at}.aliases`).map((alias) => qualified(String(alias), namespace))
    for (const part of aliases.flatMap((alias) => alias.split('.'))) checkedName(part, `${at}.aliases`)
    return { name, namespace, aliases }
  }
}

const qualified = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`

const isPrimitive = (node: Node): node is PrimitiveNode => (primitiveKinds as readonly string[]).includes(node.kind)

function listOf(list: unknown, at: string): readonly unknown[] {
  if (list === undefined) return []
  if (!Array.isArray(list)) throw new SchemaError(`${at} is no list`)
  return list
}

function checkedName(name: unknown, at: string): string {
  if (typeof name !== 'string' || !NAME.test(name))
    throw new SchemaError(`${at}: ${JSON.stringify(name) ?? 'nothing'} is no name; it is letters, digits and _`)
  // avsc looks names up in plain objects, which have these already.
  if (name in Object.prototype) throw new SchemaError(`${at}: ${name} is taken by JavaScript`)
  return name
}

function logicalOf(json: Json, kind: string, at: string): Logical | undefined {
  switch (`${json.logicalType} ${kind}`) {
    case 'timestamp-millis long':
      return { name: 'timestamp-millis' }
    case 'uuid string':
      return { name: 'uuid' }
    case 'decimal bytes':
    case 'decimal fixed': {
      const { precision, scale = 0 } = json as { precision?: number; scale?: number }
      if (
        !Number.isInteger(precision) ||
        !Number.isInteger(scale) ||
        (precision as number) < 1 ||
        (precision as number) > 1_000
      )
        throw new SchemaError(`${at} is a decimal, which takes a precision of 1 to 1,000 digits, and perhaps a scale`)
      if (scale < 0 || scale > (precision as number)) throw new SchemaError(`${at}: the scale is 0 to the precision`)
      return { name: 'decimal', precision: precision as number, scale }
    }
    default:
      return typeof json.logicalType === 'string' ? { name: 'other', logicalType: json.logicalType } : undefined
  }
}
