/**
 * Where a page of messages ended, as text for callers to hand back: the state, the kind of a place, and the place. It may come back from anywhere, so all of
 * it is checked: what gets to Redis is of the right shape, and a place that is not there (any more) is none that a script would stumble over.
 */
import type { PeekPlace, PeekState } from '@busway/lua'
import { invalidOption } from '../validate/options.js'

const index = /^\d{1,15}$/
const message = /^\d{1,5}$/
const text = /^.{0,20000}$/s
const list = [index, text, message]
const set = [/^-?\d{1,17}$/, /^\d{14}$/, message]

/** The parts of each kind of place. */
const shapes: Readonly<Record<string, readonly RegExp[]>> = {
  suspects: list,
  list,
  above: set,
  below: set,
  retry: set,
  scheduled: set,
  // And further keys.
  lines: [/^(?:\d{1,20}|end)$/, text, ...list],
  leases: [/^.{1,200}$/s, index, message],
}

const kinds: Readonly<Record<PeekState, readonly string[]>> = {
  ready: ['suspects', 'above', 'list', 'below'],
  unclaimed: ['above', 'list', 'below', 'lines'],
  held: ['lines'],
  inFlight: ['leases'],
  retrying: ['retry'],
  scheduled: ['scheduled'],
}

export const encodeCursor = (state: PeekState, place: PeekPlace): string =>
  Buffer.from(JSON.stringify([state, ...place])).toString('base64url')

/** Throws INVALID_OPTIONS for what is no cursor of such a listing. */
export function decodeCursor(state: PeekState, cursor: string): PeekPlace {
  const parts = parse(cursor)
  if (parts !== undefined) {
    const [of, kind = '', ...place] = parts
    const shape = of === state && kinds[state].includes(kind) ? shapes[kind] : undefined
    if (shape !== undefined && fits(place, shape, kind === 'lines')) return [kind, ...place]
  }
  throw invalidOption('cursor', cursor, `the cursor of a page of ${state} messages, as it was given`)
}

function parse(cursor: string): string[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(parts) && parts.every((part) => typeof part === 'string') ? parts : undefined
  } catch {
    return undefined
  }
}

/** Single bytes, in their shapes. */
function fits(place: readonly string[], shape: readonly RegExp[], further: boolean): boolean {
  if (place.length < shape.length || (place.length > shape.length && !further) || place.length > 2_000) return false
  return place.every((part, i) => (shape[i] ?? text).test(part) && !/[^\0-\xff]/.test(part))
}
