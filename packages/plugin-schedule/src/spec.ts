/** What callers say of a schedule: checked, and in the form in which it is stored. */
import { BuswayError, durationMs } from '@busway/bus'
import type { StoredSpec } from './definition.js'
import { cronProblem, isTimezone } from './timing.js'
import type { ScheduleSpec } from './types.js'

const OWN = ['topic', 'body', 'cron', 'every', 'timezone', 'startAt', 'endAt', 'limit', 'overlap', 'missed'] as const
/** Options of `publish` that go on to each message; the bus checks their values when it publishes. */
const PASSED_ON = ['type', 'key', 'headers', 'priority', 'position', 'expiresIn', 'keepResult'] as const
const LEAST_EVERY_MS = 100

/** Throws INVALID_OPTIONS. */
export function checkSpec(spec: ScheduleSpec): StoredSpec {
  if (typeof spec !== 'object' || spec === null)
    throw invalid('upsert', 'the schedule is an object { topic, body, ... }')
  for (const name of Object.keys(spec))
    if (!(OWN as readonly string[]).includes(name) && !(PASSED_ON as readonly string[]).includes(name))
      throw invalid(name, `there is no such option of a schedule. It takes ${[...OWN, ...PASSED_ON].join(', ')}`)
  const { topic, body, limit, overlap = 'allow', missed = 'once' } = spec
  if (typeof topic !== 'string') throw invalid('topic', 'it should be the name of a topic')
  if (body === undefined) throw invalid('body', 'a schedule needs one; null is one')
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw invalid('limit', 'it should be a whole number from 1')
  if (overlap !== 'allow' && overlap !== 'skip') throw invalid('overlap', "it should be 'allow' or 'skip'")
  if (missed !== 'skip' && missed !== 'once' && missed !== 'all')
    throw invalid('missed', "it should be 'skip', 'once' or 'all'")
  const startAtMs = moment('startAt', spec.startAt)
  const endAtMs = moment('endAt', spec.endAt)
  if (startAtMs !== undefined && endAtMs !== undefined && endAtMs < startAtMs)
    throw invalid('endAt', 'it is before startAt')
  const stored: StoredSpec = {
    topic,
    body,
    ...when(spec),
    ...(startAtMs === undefined ? {} : { startAtMs }),
    ...(endAtMs === undefined ? {} : { endAtMs }),
    ...(limit === undefined ? {} : { limit }),
    overlap,
    missed,
    options: passedOn(spec),
  }
  return asJson(stored)
}

function when({ cron, every, timezone }: ScheduleSpec): Pick<StoredSpec, 'cron' | 'everyMs' | 'timezone'> {
  if ((cron === undefined) === (every === undefined)) throw invalid('cron', 'give one of cron and every: they say when')
  if (every !== undefined) {
    if (timezone !== undefined) throw invalid('timezone', 'it is for cron; every counts from startAt')
    return { everyMs: durationMs('every', every, LEAST_EVERY_MS) }
  }
  if (typeof cron !== 'string') throw invalid('cron', "it should be text such as '0 3 * * *'")
  const problem = cronProblem(cron)
  if (problem !== undefined) throw invalid('cron', `${JSON.stringify(cron)} cannot be read; ${problem}`)
  if (timezone === undefined) return { cron }
  if (typeof timezone !== 'string' || !isTimezone(timezone))
    throw invalid('timezone', `${JSON.stringify(timezone)} is no IANA time zone such as 'Europe/Oslo'`)
  return { cron, timezone }
}

function passedOn(spec: ScheduleSpec): StoredSpec['options'] {
  return Object.fromEntries(PASSED_ON.flatMap((name) => (spec[name] === undefined ? [] : [[name, spec[name]]])))
}

function moment(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw invalid(name, 'it should be a valid Date')
  return value.getTime()
}

/** As it comes back from Redis, so that what is compared is the same. */
function asJson(spec: StoredSpec): StoredSpec {
  try {
    const text = JSON.stringify(spec)
    return JSON.parse(text)
  } catch (cause) {
    throw new BuswayError('INVALID_BODY', `The body of a schedule is kept as JSON, and this one can't be: ${cause}`, {
      cause,
    })
  }
}

export function checkId(id: unknown): string {
  if (typeof id !== 'string' || !/^[A-Za-z0-9._:/-]{1,100}$/.test(id))
    throw invalid('id', 'a schedule is called by 1 to 100 of A-Z a-z 0-9 . _ : / -')
  return id
}

export const invalid = (option: string, what: string): BuswayError =>
  new BuswayError('INVALID_OPTIONS', `schedules: ${option}: ${what}.`, { details: { option } })
