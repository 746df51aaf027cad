/** A run's charts: one of each scenario, of its most important figure. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { compare, type ScenarioComparison } from '../comparison.js'
import { isLessBetter, METRICS } from '../metrics.js'
import { isYardstick } from '../peers/index.js'
import type { Results } from '../results.js'
import { capitalized } from '../words.js'
import { type BarChart, barChart } from './bar-chart.js'

/** By scenario. */
export function charts(results: Results): Map<string, string> {
  const everyone = results.peers.map(({ name }) => name)
  return new Map(compare(results).map((scenario) => [scenario.name, barChart(chartOf(scenario, everyone))]))
}

/** Writes `<scenario>.svg` of each into the folder. Charts that are there of other runs are removed. */
export async function writeCharts(folder: URL, results: Results): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) if (name.endsWith('.svg')) await rm(new URL(name, folder))
  for (const [scenario, svg] of charts(results)) await writeFile(new URL(`${scenario}.svg`, folder), svg)
}

/** With a row for everybody who could have been expected, so that nobody is left out unseen. */
function chartOf({ title, peers, rows }: ScenarioComparison, everyone: readonly string[]): BarChart {
  const [row] = rows
  if (!row) throw new Error(`The scenario "${title}" reports nothing.`)
  const [ours] = everyone
  return {
    title: capitalized(title),
    caption: `${capitalized(METRICS[row.metric])}; ${isLessBetter(row.metric) ? 'less' : 'more'} is better. Median, least and greatest.`,
    bars: everyone
      .filter((peer) => peers.includes(peer) || !isYardstick(peer))
      .map((peer) => ({ label: peer, figure: row.figures[peers.indexOf(peer)], isOurs: peer === ours })),
  }
}
