import type { Duration } from '@busway/bus'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** As the bus reads durations. Not borrowed from it: `startRedis` works where no bus is installed. Throws a RangeError. */
export function durationMs(value: Duration): number {
  const [, amount, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value)) ?? []
  const factor = UNITS[unit]
  if (amount === undefined || factor === undefined || (typeof value === 'string' && !/[a-z]$/.test(value)))
    throw new RangeError(`${JSON.stringify(value)} is no duration: give milliseconds, or text such as '5s'.`)
  return Number(amount) * factor
}
