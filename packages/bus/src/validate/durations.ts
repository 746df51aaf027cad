/** Durations as users write them: milliseconds, or a number with its unit. */
import { BuswayError } from '../errors/busway-error.js'
import { shown } from './names.js'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** A hundred years: what is longer is a mistake, and would not fit Redis' scores exactly. */
const longestMs = 36_525 * 86_400_000

/**
 * A duration in whole milliseconds, rounded up so that nothing is early. Throws INVALID_OPTIONS naming `option`.
 *
 * @example
 * durationMs('delay', '1.5s') // 1500
 */
export function durationMs(option: string, value: unknown, least = 0): number {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? parse(value) : Number.NaN
  if (ms >= least && ms <= longestMs) return Math.ceil(ms)
  throw new BuswayError(
    'INVALID_OPTIONS',
    `${option}: ${fault(value, ms, least)}. A duration is milliseconds or a string such as '50ms', '30s', '10m', '2h' or '7d'.`,
  )
}

function parse(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * (unitMs[match[2] as string] as number) : Number.NaN
}

function fault(value: unknown, ms: number, least: number): string {
  const what = typeof value === 'number' ? String(value) : shown(value)
  if (typeof value === 'number' && Number.isNaN(value)) return 'NaN is not a duration'
  if (ms > longestMs) return `${what} is longer than a hundred years`
  if (ms < least || (typeof value === 'string' && value.startsWith('-')))
    return least > 0 && ms >= 0 ? `${what} is below ${least} ms` : `${what} is negative`
  return `${what} is not a duration`
}
