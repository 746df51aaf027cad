import type { Report } from '../records/journal-line.js'
import type { Evidence, Expected } from './evidence.js'
import { counted, type Fault } from './fault.js'

/** Each report that was due was assembled once, of all airports and all their flights; again only where its process may have been killed. */
export function checkReports(
  { reports, airports, flights }: Expected,
  { killed }: Pick<Evidence, 'killed'>,
  found: readonly Report[],
): Fault[] {
  const distinct = new Set(found.map(({ report }) => report))
  const faults: Fault[] = []
  const add = (kind: Fault['kind'], count: number, text: string) => {
    if (count > 0) faults.push({ kind, count, text: `${kind} in reports: ${counted(count, 'report')} ${text}` })
  }
  add('lost', reports - distinct.size, 'due and never assembled')
  add('stray', distinct.size - reports, 'more than were due')
  const isExplained = [...killed].some((process) => process.startsWith('reports-'))
  if (!isExplained) add('duplicated', found.length - distinct.size, 'assembled again')
  const isWhole = (report: Report) => report.airports === airports && report.flights === flights
  add('unexplained', found.filter((report) => !isWhole(report)).length, 'without all airports and all flights')
  return faults
}
