import type { Group, Left } from './evidence.js'
import { counted, type Fault, faultAbout } from './fault.js'
import type { Judged } from './verdict.js'

/** Each message published to a group was settled there once, by a run that is accounted for, and nothing is left. */
export function checkGroup(
  group: Group,
  published: ReadonlySet<string>,
  judged: readonly Judged[],
  left: Left,
): Fault[] {
  const flightsWhere = (test: (message: Judged) => boolean) => judged.filter(test).map(({ flight }) => flight)
  const faults = [
    ...faultAbout(
      flightsWhere(({ message, settled }) => published.has(message) && !settled),
      'lost',
      group,
      'run but not settled in the end',
    ),
    ...faultAbout(
      flightsWhere(({ settledAgain }) => settledAgain > 0),
      'duplicated',
      group,
      'settled more than once',
    ),
    ...faultAbout(
      flightsWhere(({ unexplained }) => unexplained > 0),
      'unexplained',
      group,
      'with a run and no settle (or the reverse) in a process that was not killed',
    ),
    ...faultAbout(
      flightsWhere(({ message }) => !published.has(message)),
      'stray',
      group,
      'with a message that nobody published',
    ),
  ]

  const known = new Set(judged.map(({ message }) => message))
  const neverRun = [...published].filter((message) => !known.has(message))
  if (neverRun.length > 0)
    faults.push({
      kind: 'lost',
      group,
      count: neverRun.length,
      text: `lost in ${group}: ${counted(neverRun.length, 'message')} (${neverRun.slice(0, 5).join(', ')}) published and never run`,
    })
  // The same from the bus' side: it must hold nothing of what the journals say is settled.
  if (left.unsettled > 0 || left.dead > 0)
    faults.push({
      kind: 'unexplained',
      group,
      count: left.unsettled + left.dead,
      text: `unexplained in ${group}: at the end the bus still holds ${counted(left.unsettled, 'message')} and ${counted(left.dead, 'dead letter')}`,
    })
  return faults
}
