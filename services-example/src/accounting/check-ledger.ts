import type { Entry } from '../records/journal-line.js'
import type { Expected } from './evidence.js'
import { type Fault, faultAbout } from './fault.js'
import type { Judged } from './verdict.js'

/** The ledger has an entry for each flight and no other; more than one only where its message was run again after a kill. */
export function checkLedger({ flights }: Expected, entries: readonly Entry[], judged: readonly Judged[]): Fault[] {
  const counts = new Map<number, number>()
  for (const { flight } of entries) counts.set(flight, (counts.get(flight) ?? 0) + 1)
  const reruns = new Map(judged.map(({ flight, reruns }) => [flight, reruns]))

  const missing = Array.from({ length: flights }, (_, flight) => flight).filter((flight) => !counts.has(flight))
  const doubled = [...counts].filter(([flight, count]) => count - 1 > (reruns.get(flight) ?? 0))
  const unknown = [...counts.keys()].filter((flight) => flight < 0 || flight >= flights)
  return [
    ...faultAbout(missing, 'lost', 'ledger', 'without an entry'),
    ...faultAbout(
      doubled.map(([flight]) => flight),
      'duplicated',
      'ledger',
      'entered more often than runs can explain',
    ),
    ...faultAbout(unknown, 'stray', 'ledger', 'entered and not in the data'),
  ]
}
