import type { Evidence, Expected } from './evidence.js'
import { type Fault, faultAbout } from './fault.js'
import { repeatedIn } from './repeated.js'
import type { Judged } from './verdict.js'

/**
 * Each notice named the right place, and was taken down by one delayed message, which the settle of its alert published; never early. One that is missing
 * would stay up for ever.
 */
export function checkNotices({ alerts, places }: Expected, { gateway }: Evidence, judged: readonly Judged[]): Fault[] {
  const flights = judged.map(({ flight }) => flight)
  const withdrawn = new Set(gateway.withdrawn)
  const about = (flights: readonly number[], kind: Fault['kind'], what: string) =>
    faultAbout(flights, kind, 'notices', what)
  return [
    ...about(
      [...alerts].filter((flight) => !withdrawn.has(flight)),
      'lost',
      'alerted and never taken down',
    ),
    ...about(repeatedIn(flights), 'duplicated', 'ended by two messages'),
    ...about(
      flights.filter((flight) => !alerts.has(flight)),
      'stray',
      'ended and never alerted',
    ),
    ...about(gateway.early, 'unexplained', 'taken down before it was time'),
    ...about(
      gateway.places.filter(([flight, place]) => places.has(flight) && places.get(flight) !== place).map(([f]) => f),
      'unexplained',
      'notified with another place than its own',
    ),
  ]
}
