import type { Expected } from './evidence.js'
import { type Fault, faultAbout } from './fault.js'
import { repeatedIn } from './repeated.js'
import type { Judged } from './verdict.js'

/**
 * The alerts that came are those that the flights give cause for, each as one message. Since delays publishes each in the
 * settle of its flight, a missing one or two messages for one flight would mean that a settle was not all or nothing.
 */
export function checkAlerts({ alerts }: Expected, judged: readonly Judged[]): Fault[] {
  const flights = judged.map(({ flight }) => flight)
  const came = new Set(flights)
  return [
    ...faultAbout(
      [...alerts].filter((flight) => !came.has(flight)),
      'lost',
      'alerts',
      'very late and never alerted',
    ),
    ...faultAbout(repeatedIn(flights), 'duplicated', 'alerts', 'alerted by two messages'),
    ...faultAbout(
      [...came].filter((flight) => !alerts.has(flight)),
      'stray',
      'alerts',
      'alerted without cause',
    ),
  ]
}
