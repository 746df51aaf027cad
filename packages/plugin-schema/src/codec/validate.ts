/** Values against a schema: every place that is wrong, fields that it does not have among them, which avsc would drop. */
import type { StandardIssue } from '@busway/bus'
import { decimalProblem } from '../schema/decimal.js'
import { type Node, nameOf, type RecordNode, type UnionNode } from '../schema/node.js'
import { LONG_BOUND, MAX_DEPTH, MAX_EMPTY_ITEMS } from './limits.js'
import { leastBytes } from './sizes.js'

/** Empty: it fits. */
export function issuesOf(node: Node, value: unknown): readonly StandardIssue[] {
  const validation = new Validation(false)
  validation.check(node, value)
  return validation.issues
}

/**
 * The branch of a union as which a value is written: the first that it fits; for a number the first that holds it without loss, for an object one that adds
 * no defaults to it.
 */
export function branchFor(union: UnionNode, value: unknown): Node | undefined {
  const likely = likelyBranches(union, value)
  if (likely.length < 2) return likely[0]
  const exact = typeof value === 'number' ? likely.find((branch) => holds(branch, value)) : undefined
  return exact ?? likely.find((branch) => fits(branch, value))
}

function likelyBranches(union: UnionNode, value: unknown): Node[] {
  const likely = union.branches.filter((branch) => mayBe(branch, value))
  return likely.length < 2 || !isPlainObject(value)
    ? likely
    : likely.sort((a, b) => missingFields(a, value) - missingFields(b, value))
}

const missingFields = (node: Node, value: Record<string, unknown>): number =>
  node.kind === 'record' ? node.fields.filter(({ name }) => value[name] === undefined).length : 0

function fits(node: Node, value: unknown): boolean {
  const validation = new Validation(true)
  validation.check(node, value)
  return validation.issues.length === 0
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

class Validation {
  readonly issues: StandardIssue[] = []
  readonly #path: (string | number)[] = []
  /** One issue is enough. */
  readonly #isHasty: boolean
  /** Of what it is within. */
  readonly #depth: number
  #emptyItems: number

  constructor(isHasty: boolean, depth = 0, emptyItems = 0) {
    this.#isHasty = isHasty
    this.#depth = depth
    this.#emptyItems = emptyItems
  }

  check(node: Node, value: unknown): void {
    if (this.#isHasty && this.issues.length > 0) return
    switch (node.kind) {
      case 'record':
        this.#record(node, value)
        return
      case 'array':
        this.#array(node.items, value)
        return
      case 'map':
        this.#map(node.values, value)
        return
      case 'union':
        this.#union(node, value)
        return
      default: {
        const problem = problemOf(node, value)
        if (problem !== undefined) this.#add(problem)
      }
    }
  }

  #record(node: RecordNode, value: unknown): void {
    if (!isPlainObject(value)) {
      this.#add(expected(nameOf(node), value))
      return
    }
    if (!this.#enter()) return
    const at = this.#path.push('') - 1
    for (const { name, type, default: fallback } of node.fields) {
      this.#path[at] = name
      const given = value[name]
      if (given !== undefined) this.check(type, given)
      else if (fallback === undefined) this.#add(`is missing; it should be ${nameOf(type)}`)
    }
    const fields = fieldNames(node)
    for (const name in value) {
      if (fields.has(name) || value[name] === undefined || !Object.hasOwn(value, name)) continue
      this.#path[at] = name
      this.#add(`is no field of ${node.name}, which has ${[...fields].join(', ') || 'none'}`)
    }
    this.#path.pop()
  }

  #array(items: Node, value: unknown): void {
    if (!Array.isArray(value)) {
      this.#add(expected('an array', value))
      return
    }
    if (!this.#enter()) return
    if (leastBytes(items) === 0) this.#countEmpty(value.length)
    const at = this.#path.push(0) - 1
    for (let i = 0; i < value.length; i++) {
      this.#path[at] = i
      this.check(items, value[i])
    }
    this.#path.pop()
  }

  #map(values: Node, value: unknown): void {
    if (!isPlainObject(value)) {
      this.#add(expected('a map', value))
      return
    }
    if (!this.#enter()) return
    const at = this.#path.push('') - 1
    for (const [key, item] of Object.entries(value)) {
      this.#path[at] = key
      if (key === '__proto__') this.#add('is no key for a map')
      else if (!isWellFormed(key)) this.#add(MALFORMED)
      else this.check(values, item)
    }
    this.#path.pop()
  }

  #union(node: UnionNode, value: unknown): void {
    const likely = likelyBranches(node, value)
    // What is wrong with it is told of the only branch that it can be.
    if (likely.length === 1) {
      this.check(likely[0] as Node, value)
      return
    }
    for (const branch of likely) {
      const attempt = new Validation(true, this.#depth + this.#path.length, this.#emptyItems)
      attempt.check(branch, value)
      if (attempt.issues.length > 0) continue
      this.#emptyItems = attempt.#emptyItems
      return
    }
    this.#add(expected(nameOf(node), value))
  }

  #enter(): boolean {
    if (this.#depth + this.#path.length < MAX_DEPTH) return true
    this.#add(`is nested deeper than ${MAX_DEPTH}`)
    return false
  }

  #countEmpty(items: number): void {
    this.#emptyItems += items
    if (this.#emptyItems > MAX_EMPTY_ITEMS) this.#add(`makes more than ${MAX_EMPTY_ITEMS} items that take no bytes`)
  }

  #add(message: string): void {
    this.issues.push({ path: [...this.#path], message })
  }
}

const namesOf = new WeakMap<RecordNode, ReadonlySet<string>>()

function fieldNames(node: RecordNode): ReadonlySet<string> {
  let names = namesOf.get(node)
  if (names === undefined) {
    names = new Set(node.fields.map(({ name }) => name))
    namesOf.set(node, names)
  }
  return names
}

function problemOf(
  node: Exclude<Node, { kind: 'record' | 'array' | 'map' | 'union' }>,
  value: unknown,
): string | undefined {
  if (!mayBe(node, value)) return expected(nameOf(node), value)
  const logical = 'logical' in node ? node.logical : undefined
  switch (node.kind) {
    case 'int':
      return value === ((value as number) | 0) ? undefined : 'should be a whole number of 32 bits'
    case 'long':
      if (value instanceof Date) return dateProblem(value.getTime())
      return Number.isInteger(value) && Math.abs(value as number) < LONG_BOUND
        ? undefined
        : 'should be a whole number within 2^52'
    case 'string':
      if (!isWellFormed(value as string)) return MALFORMED
      return logical?.name === 'uuid' && !UUID.test(value as string) ? 'is no UUID' : undefined
    case 'enum':
      return node.symbols.includes(value as string) ? undefined : `should be one of ${node.symbols.join(', ')}`
    case 'bytes':
      return logical?.name === 'decimal' ? decimalProblem(value as string, logical) : undefined
    case 'fixed':
      if (logical?.name === 'decimal') return decimalProblem(value as string, logical, node.size)
      return (value as Uint8Array).byteLength === node.size
        ? undefined
        : `should have ${node.size} bytes, and has ${(value as Uint8Array).byteLength}`
    default:
      return undefined
  }
}

/** UTF-8 would make something else of half a surrogate pair. */
const MALFORMED = 'is text with half a character'
/** Of ES2024, and in every Node that is supported. */
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()

const dateProblem = (ms: number): string | undefined =>
  Number.isNaN(ms) ? 'is an invalid Date' : Math.abs(ms) < LONG_BOUND ? undefined : 'is a Date beyond the year 144683'

/** Whether it is of the JavaScript type for the node; what it holds is not looked at, but for the fields that tell records apart. */
function mayBe(node: Node, value: unknown): boolean {
  const logical = 'logical' in node ? node.logical?.name : undefined
  switch (node.kind) {
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'long':
      return logical === 'timestamp-millis' ? value instanceof Date : typeof value === 'number'
    case 'int':
    case 'float':
    case 'double':
      return typeof value === 'number'
    case 'string':
    case 'enum':
      return typeof value === 'string'
    case 'bytes':
    case 'fixed':
      return logical === 'decimal' ? typeof value === 'string' : value instanceof Uint8Array
    case 'array':
      return Array.isArray(value)
    case 'record':
    case 'map':
      return isPlainObject(value)
    case 'union':
      return true
  }
}

/** Whether a number is written without loss. */
const holds = (node: Node, value: number): boolean =>
  node.kind === 'float'
    ? Object.is(Math.fround(value), value)
    : !Object.is(value, -0) || node.kind === 'double'
      ? fits(node, value)
      : false

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Date)

const expected = (what: string, value: unknown): string => `should be ${what}, and is ${kindOf(value)}`

/** Without the value itself, which need not be seen in a log. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'a Date'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'an object' : typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}
