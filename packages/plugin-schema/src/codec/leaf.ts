/** One value by itself: of which JavaScript type it is, and what is wrong with it where the schema has nothing within. */
import { decimalProblem } from '../schema/decimal.js'
import { type Node, nameOf } from '../schema/node.js'
import { LONG_BOUND } from './limits.js'

export type LeafNode = Exclude<Node, { kind: 'record' | 'array' | 'map' | 'union' }>

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What is wrong with it; `undefined` for nothing. */
export function problemOf(node: LeafNode, value: unknown): string | undefined {
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
export const MALFORMED = 'is text with half a character'
/** Of ES2024, and in every Node that is supported. */
export const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()

const dateProblem = (ms: number): string | undefined =>
  Number.isNaN(ms) ? 'is an invalid Date' : Math.abs(ms) < LONG_BOUND ? undefined : 'is a Date beyond the year 144683'

/** Whether it is of the JavaScript type for the node; what it holds is not looked at, but for the fields that tell records apart. */
export function mayBe(node: Node, value: unknown): boolean {
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

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Date)

export const expected = (what: string, value: unknown): string => `should be ${what}, and is ${kindOf(value)}`

/** Without the value itself, which need not be seen in a log. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'a Date'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'an object' : typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}
