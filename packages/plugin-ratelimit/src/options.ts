/** Options as users write them, checked and in numbers. */
import { BuswayError, durationMs } from '@busway/bus'
import type { ConsumeRate, PublishRate, Rate } from './types.js'

/** GCRA in its two numbers: a time for each message, and how many may come before theirs. */
export interface Pace {
  /** Milliseconds, with fractions. */
  readonly everyMs: number
  readonly burst: number
}

const BURST_MS = 100
const LEAST_BURST = 2
const MAX_WAIT = '10s'

export function paceOf({ limit, per, burst }: Rate): Pace {
  const everyMs = durationMs('per', per, 1) / limit
  return { everyMs, burst: burst ?? Math.max(LEAST_BURST, Math.ceil(BURST_MS / everyMs)) }
}

export const maxWaitMs = ({ maxWait = MAX_WAIT }: PublishRate): number => durationMs('maxWait', maxWait)

/** Each partition counts by itself. */
export const inexact = (topic: string, advice: string): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `A rate of the whole topic cannot be kept over the partitions of ${topic}. ${advice}`,
    {
      details: { topic },
    },
  )

/** What `rate` of a consume should be, if it isn't. */
export function consumeProblem(value: unknown): string | undefined {
  const problem = rateProblem(value, ['by'])
  if (problem !== undefined) return problem
  const { by } = value as ConsumeRate
  return by === undefined || by === 'group' || by === 'key' ? undefined : "an object whose by is 'group' or 'key'"
}

/** What `rate` of a publish should be, if it isn't. */
export function publishProblem(value: unknown): string | undefined {
  const problem = rateProblem(value, ['key', 'mode', 'maxWait'])
  if (problem !== undefined) return problem
  const { key, mode, maxWait } = value as PublishRate
  if (key !== undefined && (typeof key !== 'string' || key.length === 0 || key.length > 500))
    return 'an object whose key is a string of 1 to 500 characters'
  if (mode !== undefined && mode !== 'reject' && mode !== 'wait') return "an object whose mode is 'reject' or 'wait'"
  return maxWait === undefined || isDuration(maxWait, 0)
    ? undefined
    : "an object whose maxWait is a duration such as '5s'"
}

function rateProblem(value: unknown, more: readonly string[]): string | undefined {
  const names = ['limit', 'per', 'burst', ...more]
  if (typeof value !== 'object' || value === null) return `an object { ${names.join(', ')} }`
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) return `an object { ${names.join(', ')} }, without ${unknown}`
  const { limit, per, burst } = value as Record<string, unknown>
  if (typeof limit !== 'number' || !(limit > 0 && limit <= 1e9)) return 'an object whose limit is a number above 0'
  if (!isDuration(per, 1)) return "an object whose per is a duration such as '1s'"
  if (burst !== undefined && !(Number.isInteger(burst) && (burst as number) >= 1 && (burst as number) <= 1e6))
    return 'an object whose burst is a whole number from 1'
  return undefined
}

function isDuration(value: unknown, least: number): boolean {
  try {
    durationMs('', value, least)
    return true
  } catch {
    return false
  }
}
