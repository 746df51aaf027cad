/** Values against a schema: every place that is wrong, fields that it does not have among them, which avsc would drop. */
import type { StandardIssue } from '@busway/bus'
import { type Node, nameOf, type RecordNode, type UnionNode } from '../schema/node.js'
import { expected, isPlainObject, isWellFormed, MALFORMED, mayBe, problemOf } from './leaf.js'
import { MAX_DEPTH, MAX_EMPTY_ITEMS } from './limits.js'
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

/** Whether a number is written without loss. */
const holds = (node: Node, value: number): boolean =>
  node.kind === 'float'
    ? Object.is(Math.fround(value), value)
    : !Object.is(value, -0) || node.kind === 'double'
      ? fits(node, value)
      : false
