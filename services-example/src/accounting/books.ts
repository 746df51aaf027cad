import { checkAlerts } from './check-alerts.js'
import { checkGateway } from './check-gateway.js'
import { checkGroup } from './check-group.js'
import { checkLedger } from './check-ledger.js'
import { checkNotices } from './check-notices.js'
import { checkPublished } from './check-published.js'
import { checkReports } from './check-reports.js'
import { type Evidence, type Expected, GROUPS, type Group, groups } from './evidence.js'
import type { Fault } from './fault.js'
import { historyOf } from './history.js'
import { type Pace, paceOf } from './pace.js'
import { type Judged, judgeAll } from './verdict.js'

/** One group's line of the final table. */
export interface Row extends Pace {
  group: Group
  published: number
  settled: number
  retried: number
  dead: number
  redriven: number
  /** Explained repetitions: a killed process' unfinished messages. */
  rerun: number
  lost: number
  duplicated: number
}

/** The books of a run. They balance if there are no faults. */
export interface Books {
  rows: Row[]
  faults: Fault[]
}

/**
 * Balances the books:
 *
 * 1. each flight was published once;
 * 2. each message published was settled once in each group, and nothing else was;
 * 3. the ledger has one entry for each flight, repeated only where a run was;
 * 4. delays published exactly the alerts that the flights give cause for, each once;
 * 5. the gateway accepted exactly those, and its refusals are the failures that alerts saw;
 * 6. each of their notices was taken down again, by one message, and not before it was time;
 * 7. each report that was due was assembled, of all airports' parts;
 * 8. the bus says that nothing is left.
 */
export async function balance(expected: Expected, evidence: Evidence): Promise<Books> {
  const history = await historyOf(evidence.lines)
  const faults = [...checkPublished(expected, history.published)]
  const judged = {} as Record<Group, Judged[]>
  for (const group of groups) judged[group] = judgeAll(history.groups[group], evidence.killed)

  // What settles published has no receipts: the messages of alerts and notices. That they are the right ones is checked by flight.
  const published = new Set(history.published.map(({ message }) => message))
  const publishedTo = (group: Group) =>
    GROUPS[group] === 'flights.departed' ? published : new Set(history.groups[group].keys())
  for (const group of groups) faults.push(...checkGroup(group, publishedTo(group), judged[group], evidence.left[group]))
  faults.push(...checkLedger(expected, history.entries, judged.ledger))
  faults.push(...checkAlerts(expected, judged.alerts))
  faults.push(...checkGateway(expected, evidence, judged.alerts))
  faults.push(...checkNotices(expected, evidence, judged.notices))
  faults.push(...checkReports(expected, evidence, history.reports))

  const rows = groups.map((group): Row => {
    const messages = judged[group]
    const countFaults = (kind: Fault['kind']) =>
      faults.filter((fault) => fault.kind === kind && fault.group === group).reduce((sum, { count }) => sum + count, 0)
    return {
      group,
      published: publishedTo(group).size,
      settled: messages.filter(({ settled }) => settled).length,
      retried: messages.reduce((sum, { retries }) => sum + retries, 0),
      dead: messages.filter(({ died }) => died).length,
      redriven: group === 'alerts' ? evidence.redriven : 0,
      rerun: messages.reduce((sum, { reruns }) => sum + reruns, 0),
      lost: countFaults('lost'),
      duplicated: countFaults('duplicated'),
      ...paceOf(messages.map(({ history }) => history)),
    }
  })
  return { rows, faults }
}
