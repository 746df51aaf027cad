/** The figures in docs/performance.md and in the README, which nobody types. */
import { readFile, writeFile } from 'node:fs/promises'
import { writeCharts } from './charts/index.js'
import { headline } from './headline.js'
import { figures } from './page.js'
import type { Results } from './results.js'

const README = new URL('../../README.md', import.meta.url)
const PAGE = new URL('../../docs/performance.md', import.meta.url)
/** Beside the page, which shows them. */
const CHARTS = new URL('charts/', PAGE)
const START = '<!-- bench:start (written by `npm run bench -- --write-docs`; do not edit) -->'
const END = '<!-- bench:end -->'

/** Puts the run between the pages' markers, and its charts beside them. */
export async function writeDocs(results: Results): Promise<void> {
  await fill(PAGE, figures(results))
  await fill(README, headline(results))
  await writeCharts(CHARTS, results)
}

async function fill(page: URL, text: string): Promise<void> {
  await writeFile(page, replaceBetween(await readFile(page, 'utf8'), START, END, text))
}

/** Throws if the markers are not there. */
export function replaceBetween(page: string, start: string, end: string, text: string): string {
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`The page lacks the lines\n${start}\n${end}`)
  return `${page.slice(0, from + start.length)}\n\n${text}\n\n${page.slice(to)}`
}
