import { isVeryLate } from '../flights/very-late.js'
import { fateOf } from '../gateway/fate.js'
import type { Flight } from '../topics.js'
import type { Expected } from './evidence.js'

/** What a run with these flights should come to. */
export function expectedOf(flights: readonly Flight[], seed: number): Expected {
  const alerts = flights.filter(isVeryLate).map(({ flight }) => flight)
  return {
    flights: flights.length,
    alerts: new Set(alerts),
    broken: new Set(alerts.filter((flight) => fateOf(seed, flight).kind === 'broken')),
  }
}
