import type { Evidence, Expected } from './evidence.js'
import { counted, type Fault, faultAbout } from './fault.js'
import type { Judged } from './verdict.js'

/** The gateway, dead letters and redrive: the outside's view of what alerts did. */
export function checkGateway(expected: Expected, evidence: Evidence, judged: readonly Judged[]): Fault[] {
  const { gateway, deadLetters, redriven } = evidence
  const accepted = new Set(gateway.accepted)
  const reruns = new Map(judged.map(({ flight, reruns }) => [flight, reruns]))
  const repeated = new Map<number, number>()
  for (const flight of gateway.repeated) repeated.set(flight, (repeated.get(flight) ?? 0) + 1)
  const dead = new Set(deadLetters)

  const faults = [
    ...faultAbout(
      [...expected.alerts].filter((flight) => !accepted.has(flight)),
      'lost',
      'alerts',
      'never accepted by the gateway',
    ),
    ...faultAbout(
      [...repeated].filter(([flight, count]) => count > (reruns.get(flight) ?? 0)).map(([flight]) => flight),
      'duplicated',
      'alerts',
      'notified again after the gateway had accepted',
    ),
    ...faultAbout(
      [...expected.broken].filter((flight) => !dead.has(flight)),
      'unexplained',
      'alerts',
      'broken and no dead letter',
    ),
    ...faultAbout(
      [...dead].filter((flight) => !expected.broken.has(flight)),
      'unexplained',
      'alerts',
      'dead and not broken',
    ),
  ]

  const failed = judged
    .flatMap(({ history }) => history.settles)
    .filter(({ error }) => error === 'GatewayRefused').length
  // A process killed between the gateway's refusal and its settle takes the failure with it.
  const cutShort = judged.reduce((sum, { reruns }) => sum + reruns, 0)
  if (gateway.refused < failed || gateway.refused > failed + cutShort)
    faults.push({
      kind: 'unexplained',
      group: 'alerts',
      count: Math.abs(gateway.refused - failed),
      text: `unexplained in alerts: the gateway refused ${gateway.refused} times, and alerts failed ${failed} times for it`,
    })
  if (redriven !== dead.size)
    faults.push({
      kind: 'unexplained',
      group: 'alerts',
      count: Math.abs(redriven - dead.size),
      text: `unexplained in alerts: ${counted(dead.size, 'dead letter')}, and ${redriven} redriven`,
    })
  return faults
}
