/** Options objects: unknown names are named, with the nearest right one. */
import { BuswayError } from '../errors/busway-error.js'
import { shown } from './names.js'
import { nearest } from './nearest.js'

/** Throws INVALID_OPTIONS for an unknown name; `where` begins the message, `publish` for example. */
export function checkNames(where: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) if (!known.includes(name)) throw unknownOption(where, name, known)
}

export function unknownOption(where: string, name: string, known: readonly string[]): BuswayError {
  const near = nearest(name, known)
  const advice = near === undefined ? `It takes ${known.join(', ')}` : `Did you mean ${shown(near)}?`
  const end = near === undefined ? '.' : ''
  return new BuswayError('INVALID_OPTIONS', `${where}: there is no option ${shown(name)}. ${advice}${end}`, {
    details: { option: name, nearest: near },
  })
}

/** Throws INVALID_OPTIONS unless `options` is a plain options object or left out. */
export function checkOptionsObject(where: string, options: unknown): asserts options is object | undefined {
  if (options === undefined || (typeof options === 'object' && options !== null && !Array.isArray(options))) return
  throw new BuswayError(
    'INVALID_OPTIONS',
    `${where}: the options are an object, not ${Array.isArray(options) ? 'an array' : shown(options)}.`,
  )
}

/** A whole number within bounds. Throws INVALID_OPTIONS naming `option`. */
export function checkInteger(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  const what = typeof value === 'number' ? String(value) : shown(value)
  throw new BuswayError('INVALID_OPTIONS', `${option}: ${what} is not a whole number from ${least} to ${most}.`)
}

/** A value of the wrong type or range. */
export const invalidOption = (option: string, value: unknown, expected: string): BuswayError =>
  new BuswayError(
    'INVALID_OPTIONS',
    `${option}: ${typeof value === 'number' ? String(value) : shown(value)} is not ${expected}.`,
  )
