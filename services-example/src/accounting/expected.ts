import { isVeryLate } from '../flights/very-late.js'
import { fateOf } from '../gateway/fate.js'
import { REPORTS } from '../reports/due.js'
import type { Airport, Flight } from '../topics.js'
import type { Expected } from './evidence.js'

/** What a run with these flights should come to. */
export function expectedOf(flights: readonly Flight[], airports: ReadonlyMap<string, Airport>, seed: number): Expected {
  const late = flights.filter(isVeryLate)
  const alerts = late.map(({ flight }) => flight)
  const placeOf = (code: string) => `${airports.get(code)?.city}, ${airports.get(code)?.state}`
  return {
    flights: flights.length,
    alerts: new Set(alerts),
    places: new Map(late.map(({ flight, origin }) => [flight, placeOf(origin)])),
    reports: REPORTS,
    airports: new Set(flights.map(({ origin }) => origin)).size,
    broken: new Set(alerts.filter((flight) => fateOf(seed, flight).kind === 'broken')),
  }
}
