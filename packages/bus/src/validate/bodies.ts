/** Bodies as JSON: what cannot be encoded is refused with the path to it, before anything is written. */
import { BuswayError } from '../errors/busway-error.js'

/**
 * The JSON text of a body. As JSON does, properties that are undefined are left out and NaN becomes null;
 * a cycle, a BigInt, a function or a symbol anywhere, and undefined as the body itself, are refused.
 * Throws INVALID_BODY.
 */
export function encodeJson(topic: string, body: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (cause) {
    throw explain(topic, body, cause)
  }
  // Also of toJSON() and of functions and symbols, which JSON silently makes nothing of.
  if (text === undefined || holdsFunction(body, 0)) throw explain(topic, body, undefined)
  return text
}

/** Looked for on the way, since JSON would drop it and the message would arrive incomplete. Shapes deeper than this are left to JSON. */
function holdsFunction(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return true
  if (typeof value !== 'object' || value === null || depth > 8) return false
  if (Array.isArray(value)) {
    for (const item of value)
      if (typeof item !== 'number' && typeof item !== 'string' && holdsFunction(item, depth + 1)) return true
    return false
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name]
    const kind = typeof item
    if (kind === 'string' || kind === 'number' || kind === 'boolean') continue
    if (kind === 'function' || kind === 'symbol') {
      // Methods of a class are on its prototype and no data.
      if (Object.hasOwn(value, name)) return true
      continue
    }
    if (kind === 'object' && holdsFunction(item, depth + 1)) return true
  }
  return false
}

function explain(topic: string, body: unknown, cause: unknown): BuswayError {
  const found = find(body, 'body', [])
  const what = found
    ? `${found.path} is ${found.what}`
    : `it cannot be written as JSON${cause instanceof Error ? ` (${cause.message})` : ''}`
  return new BuswayError('INVALID_BODY', `The body for ${topic} cannot be encoded: ${what}. ${advice(found?.what)}`, {
    cause,
    details: found ? { path: found.path } : {},
  })
}

const advice = (what: string | undefined): string =>
  what === 'a BigInt'
    ? 'Publish it as a string or a number.'
    : what === 'a cycle'
      ? 'Publish the ids of what refers back instead of the objects.'
      : 'Publish plain data: objects, arrays, strings, numbers, booleans and null.'

interface Found {
  path: string
  what: string
}

function find(value: unknown, path: string, above: readonly object[]): Found | undefined {
  switch (typeof value) {
    case 'bigint':
      return { path, what: 'a BigInt' }
    case 'function':
      return { path, what: 'a function' }
    case 'symbol':
      return { path, what: 'a symbol' }
    case 'undefined':
      return above.length === 0 ? { path, what: 'undefined' } : undefined
    case 'object': {
      if (value === null) return undefined
      if (above.includes(value)) return { path, what: 'a cycle' }
      if (above.length > 200) return { path, what: 'too deep' }
      return findWithin(value, path, [...above, value])
    }
    default:
      return undefined
  }
}

function findWithin(value: object, path: string, above: readonly object[]): Found | undefined {
  const toJson = (value as { toJSON?: unknown }).toJSON
  if (typeof toJson === 'function') {
    try {
      // In the place of the body itself undefined is nothing to publish.
      return find(toJson.call(value, ''), path, above.length === 1 ? [] : above)
    } catch {
      return { path, what: 'a value whose toJSON fails' }
    }
  }
  for (const [name, item] of Object.entries(value)) {
    const step = Array.isArray(value)
      ? `[${name}]`
      : /^[A-Za-z_$][\w$]*$/.test(name)
        ? `.${name}`
        : `[${JSON.stringify(name)}]`
    const found = find(item, path + step, above)
    if (found) return found
  }
  return undefined
}
