/** What a run's figures say: each metric of each peer, and how many times the others' it is. */
import type { MetricName } from './metrics.js'
import type { Results } from './results.js'
import { ratio, type Summary, summarize } from './statistics.js'

export interface ScenarioComparison {
  name: string
  title: string
  /** Those that took part, in the order of the run's. */
  peers: string[]
  rows: ComparisonRow[]
}

export interface ComparisonRow {
  metric: MetricName
  /** By peer; undefined if it was not measured. */
  figures: (Summary | undefined)[]
  /** The first peer's figure as a multiple of each other's. */
  ratios: (Summary | undefined)[]
}

export function compare(results: Results): ScenarioComparison[] {
  return results.scenarios.map(({ name, title, metrics }) => {
    const measured = new Set(
      results.trials.filter(({ scenario }) => scenario === name).map(({ peer }) => peer as string),
    )
    const peers = results.peers.map((peer) => peer.name).filter((peer) => measured.has(peer))
    return { name, title, peers, rows: metrics.map((metric) => rowOf(results, name, peers, metric)) }
  })
}

function rowOf(results: Results, scenario: string, peers: readonly string[], metric: MetricName): ComparisonRow {
  const values = peers.map((peer) => valuesOf(results, scenario, peer, metric))
  const [ours = [], ...others] = values
  return {
    metric,
    figures: values.map((each) => (each.length > 0 ? summarize(each) : undefined)),
    ratios: others.map((each) => ratioTo(ours, each)),
  }
}

/** Of nothing, or where they have no costs at all, nothing can be a multiple. */
function ratioTo(ours: readonly number[], theirs: readonly number[]): Summary | undefined {
  if (ours.length === 0 || theirs.length === 0) return undefined
  const times = ratio(ours, theirs)
  return Number.isFinite(times.median) ? times : undefined
}

/** A metric of a peer by round, those left out that have none. */
export function valuesOf({ trials }: Results, scenario: string, peer: string, metric: MetricName): number[] {
  return trials
    .filter((trial) => trial.scenario === scenario && trial.peer === peer)
    .sort((a, b) => a.round - b.round)
    .map(({ metrics }) => metrics[metric])
    .filter((value) => value !== undefined)
}
