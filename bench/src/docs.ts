/** The figures in docs/performance.md, which nobody types. */
import { readFile, writeFile } from 'node:fs/promises'
import { compare, type ScenarioComparison } from './comparison.js'
import { METRICS } from './metrics.js'
import { format, summaryOf } from './report.js'
import type { Results } from './results.js'

const PAGE = new URL('../../docs/performance.md', import.meta.url)
const START = '<!-- bench:start (written by `npm run bench -- --write-docs`; do not edit) -->'
const END = '<!-- bench:end -->'

/** Puts the run between the page's markers. */
export async function writeDocs(results: Results): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  await writeFile(PAGE, replaceBetween(page, START, END, figures(results)))
}

/** Throws if the markers are not there. */
export function replaceBetween(page: string, start: string, end: string, text: string): string {
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`The page lacks the lines\n${start}\n${end}`)
  return `${page.slice(0, from + start.length)}\n\n${text}\n\n${page.slice(to)}`
}

/** Markdown: a line on the machine and a table. */
export function figures(results: Results): string {
  const names = results.peers.map(({ name }) => name)
  const header = ['scenario', 'figure', ...names, ...names.slice(1).map((name) => `${names[0]} / ${name}`)]
  const rows = compare(results).flatMap(rowsOf)
  const table = [header, header.map((_, i) => (i < 2 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`)
  return `${summaryOf(results)}. Medians of ${results.rounds} rounds; in parentheses the least and the greatest.\n\n${table.join('\n')}`
}

function rowsOf({ title, rows }: ScenarioComparison): string[][] {
  return rows.map(({ metric, figures, ratios }, i) => [
    i === 0 ? title : '',
    METRICS[metric],
    ...figures.map((each) => (each ? `${format(each.median)} (${format(each.min)}-${format(each.max)})` : '-')),
    ...ratios.map((each) => (each ? `${format(each.median)}x` : '-')),
  ])
}
