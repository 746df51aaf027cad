import { readJournals } from './read-journals.js'

/** How many reports have been assembled. */
export async function reportsIn(folder: string): Promise<number> {
  const reports = new Set<string>()
  for await (const { line } of readJournals(folder, 'reports-')) if (line.kind === 'report') reports.add(line.report)
  return reports.size
}
