/** Whether what one schema wrote can be read by another, by the rules of schema resolution of the Avro specification; and if not, why, at every place. */
import { type EnumNode, isNamed, type NamedNode, type Node, nameOf, type RecordNode } from './node.js'

/** One reason, and where in the reader's schema. */
export interface Conflict {
  readonly path: readonly string[]
  readonly message: string
}

/** Empty: it can. */
export function conflicts(reader: Node, writer: Node): Conflict[] {
  const found: Conflict[] = []
  new Comparison(found).compare(reader, writer, [])
  return found
}

export const describeConflicts = (found: readonly Conflict[]): string => {
  const shown = found.slice(0, 10).map(({ path, message }) => `${['schema', ...path].join('.')}: ${message}`)
  return `${shown.join('; ')}${found.length > shown.length ? `; and ${found.length - shown.length} more` : ''}`
}

/** Reader's kind -> kinds that it is promoted from. */
const promotions: Readonly<Record<string, readonly string[]>> = {
  long: ['int'],
  float: ['int', 'long'],
  double: ['int', 'long', 'float'],
  bytes: ['string'],
  string: ['bytes'],
}

class Comparison {
  readonly #found: Conflict[]
  /** Pairs that are compared already: a schema may contain itself. */
  readonly #compared = new Map<Node, Set<Node>>()

  constructor(found: Conflict[]) {
    this.#found = found
  }

  compare(reader: Node, writer: Node, path: readonly string[]): void {
    const known = this.#compared.get(reader)
    if (known?.has(writer)) return
    if (known === undefined) this.#compared.set(reader, new Set([writer]))
    else known.add(writer)
    if (writer.kind === 'union') {
      for (const branch of writer.branches) this.compare(reader, branch, path)
    } else if (reader.kind === 'union') this.#union(reader.branches, writer, path)
    else if (reader.kind !== writer.kind) this.#promotion(reader, writer, path)
    else this.#same(reader, writer, path)
  }

  /** One branch that reads it will do. */
  #union(branches: readonly Node[], writer: Node, path: readonly string[]): void {
    let nearest: Conflict[] | undefined
    for (const branch of branches) {
      const found: Conflict[] = []
      new Comparison(found).compare(branch, writer, path)
      if (found.length === 0) return
      if (branch.kind === writer.kind && isCalled(branch, writer)) nearest = found
    }
    if (nearest !== undefined) this.#found.push(...nearest)
    else this.#add(path, `${nameOf(writer)} was written, and is read as ${branches.map(nameOf).join(' or ')}`)
  }

  #promotion(reader: Node, writer: Node, path: readonly string[]): void {
    if (!promotions[reader.kind]?.includes(writer.kind))
      this.#add(path, `${nameOf(writer)} was written, and is read as ${nameOf(reader)}`)
  }

  #same(reader: Node, writer: Node, path: readonly string[]): void {
    if (isNamed(reader) && !isCalled(reader, writer)) {
      this.#add(path, `${nameOf(writer)} was written, and is read as ${reader.name}, which has no alias of that name`)
      return
    }
    switch (reader.kind) {
      case 'record':
        this.#record(reader, writer as RecordNode, path)
        return
      case 'enum':
        this.#enum(reader, writer as EnumNode, path)
        return
      case 'array':
        this.compare(reader.items, (writer as typeof reader).items, [...path, 'items'])
        return
      case 'map':
        this.compare(reader.values, (writer as typeof reader).values, [...path, 'values'])
        return
      case 'fixed':
        if (reader.size !== (writer as typeof reader).size)
          this.#add(path, `${(writer as typeof reader).size} bytes were written, and ${reader.size} are read`)
        this.#logical(reader, writer as typeof reader, path)
        return
      case 'union':
        return
      default:
        this.#logical(reader, writer as typeof reader, path)
        return
    }
  }

  #record(reader: RecordNode, writer: RecordNode, path: readonly string[]): void {
    for (const field of reader.fields) {
      const at = [...path, field.name]
      const written = writer.fields.filter(({ name }) => name === field.name || field.aliases.includes(name))
      if (written.length > 1) this.#add(at, `both ${written.map(({ name }) => name).join(' and ')} were written`)
      else if (written[0] !== undefined) this.compare(field.type, written[0].type, at)
      else if (field.default === undefined) this.#add(at, 'was not written, and has no default')
    }
  }

  #enum(reader: EnumNode, writer: EnumNode, path: readonly string[]): void {
    const unknown = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol))
    if (unknown.length > 0 && reader.default === undefined)
      this.#add(path, `${unknown.join(', ')} can be written, and ${reader.name} has no such symbol and no default`)
  }

  /** The bytes would be read, and mean something else. */
  #logical(
    reader: Extract<Node, { logical?: unknown }>,
    writer: Extract<Node, { logical?: unknown }>,
    path: readonly string[],
  ): void {
    const [was, is] = [writer.logical, reader.logical]
    if (was === undefined || is === undefined) return
    if (nameOf({ kind: 'bytes', logical: was }) !== nameOf({ kind: 'bytes', logical: is }))
      this.#add(path, `${nameOf(writer)} was written, and is read as ${nameOf(reader)}`)
    else if (was.name === 'decimal' && is.name === 'decimal' && was.scale !== is.scale)
      this.#add(path, `a decimal of the scale ${was.scale} was written, and ${is.scale} is read`)
  }

  #add(path: readonly string[], message: string): void {
    this.#found.push({ path, message })
  }
}

const isCalled = (reader: Node, writer: Node): boolean =>
  !isNamed(reader) ||
  !isNamed(writer) ||
  reader.name === writer.name ||
  (reader as NamedNode).aliases.includes(writer.name)
