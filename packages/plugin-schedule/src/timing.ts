/** When a schedule is due. Pure: all of it follows from the schedule and the moments that it is given, in milliseconds. */
import { CronExpressionParser } from 'cron-parser'

/** What decides. */
export interface Timing {
  readonly cron?: string
  readonly everyMs?: number
  readonly timezone?: string
  readonly startMs: number
  readonly endMs?: number
}

/** The first due time after `afterMs`; `undefined` if there is none. */
export function nextAfter(timing: Timing, afterMs: number): number | undefined {
  const fromMs = Math.max(afterMs, timing.startMs - 1)
  const nextMs =
    timing.everyMs === undefined ? cronAfter(timing, fromMs) : intervalAfter(timing, timing.everyMs, fromMs)
  return nextMs === undefined || (timing.endMs !== undefined && nextMs > timing.endMs) ? undefined : nextMs
}

/** The last due time up to `untilMs`, if it is after `afterMs`. */
export function lastUntil(timing: Timing, afterMs: number, untilMs: number): number | undefined {
  const toMs = timing.endMs === undefined ? untilMs : Math.min(untilMs, timing.endMs)
  const lastMs = timing.everyMs === undefined ? cronUntil(timing, toMs) : intervalUntil(timing, timing.everyMs, toMs)
  return lastMs === undefined || lastMs <= afterMs || lastMs < timing.startMs ? undefined : lastMs
}

function intervalAfter({ startMs }: Timing, everyMs: number, afterMs: number): number {
  return startMs + (Math.floor((afterMs - startMs) / everyMs) + 1) * everyMs
}

function intervalUntil({ startMs }: Timing, everyMs: number, untilMs: number): number {
  return startMs + Math.floor((untilMs - startMs) / everyMs) * everyMs
}

function cronAfter(timing: Timing, afterMs: number): number | undefined {
  return tried(() => parse(timing, afterMs).next().getTime())
}

/** The parser's own step back leaves out a time that is now, so it is asked from a moment later. */
function cronUntil(timing: Timing, untilMs: number): number | undefined {
  let lastMs = tried(() =>
    parse(timing, untilMs + 1)
      .prev()
      .getTime(),
  )
  // Nor does it know of a time that a change of the clocks has put off; forwards it does.
  for (let steps = 0; lastMs !== undefined && steps < 5; steps++) {
    const nextMs = cronAfter(timing, lastMs)
    if (nextMs === undefined || nextMs > untilMs) break
    lastMs = nextMs
  }
  return lastMs
}

const parse = ({ cron = '', timezone = 'UTC' }: Timing, fromMs: number) =>
  CronExpressionParser.parse(cron, { currentDate: new Date(fromMs), tz: timezone })

/** An expression that was accepted and has no further time (a day that no month has). */
function tried(find: () => number): number | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

const fields = ['second', 'minute', 'hour', 'day of the month', 'month', 'day of the week']
/** A field's value that any field would take. */
const ANY = '*'

/** What is wrong with a cron expression, and in which field; `undefined` if nothing is. */
export function cronProblem(cron: string): string | undefined {
  if (cron.startsWith('@')) return problemOf(cron)
  const parts = cron.trim().split(/\s+/)
  if (parts.length < 5 || parts.length > 6) return `it has ${parts.length} fields; it takes 5, or 6 with seconds first`
  const offset = 6 - parts.length
  for (const [i, part] of parts.entries()) {
    const alone = parts.map((_, at) => (at === i ? part : ANY)).join(' ')
    const problem = problemOf(alone)
    if (problem !== undefined) return `its ${fields[i + offset]} is ${JSON.stringify(part)}: ${problem}`
  }
  return problemOf(cron)
}

function problemOf(cron: string): string | undefined {
  try {
    CronExpressionParser.parse(cron).next()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export function isTimezone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
    return true
  } catch {
    return false
  }
}
