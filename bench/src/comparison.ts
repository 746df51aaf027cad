/** What a run's figures say: each metric of each peer, and how many times the others' it is. */
import type { MetricName } from './metrics.js'
import type { Results } from './results.js'
import { ratio, type Summary, summarize } from './statistics.js'

export interface ScenarioComparison {
  name: string
  title: string
  rows: ComparisonRow[]
}

export interface ComparisonRow {
  metric: MetricName
  /** By peer, in the order of the run's; undefined if it was not measured. */
  figures: (Summary | undefined)[]
  /** The first peer's figure as a multiple of each other's. */
  ratios: (Summary | undefined)[]
}

export function compare(results: Results): ScenarioComparison[] {
  return results.scenarios.map(({ name, title, metrics }) => ({
    name,
    title,
    rows: metrics.map((metric) => {
      const values = results.peers.map((peer) => valuesOf(results, name, peer.name, metric))
      const [ours = [], ...others] = values
      return {
        metric,
        figures: values.map((each) => (each.length > 0 ? summarize(each) : undefined)),
        ratios: others.map((each) => (ours.length > 0 && each.length > 0 ? ratio(ours, each) : undefined)),
      }
    }),
  }))
}

function valuesOf({ trials }: Results, scenario: string, peer: string, metric: MetricName): number[] {
  return trials
    .filter((trial) => trial.scenario === scenario && trial.peer === peer)
    .sort((a, b) => a.round - b.round)
    .map(({ metrics }) => metrics[metric])
    .filter((value) => value !== undefined)
}
