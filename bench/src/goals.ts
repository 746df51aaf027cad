/** What Busway wants to reach, as ratios within one run, and whether a run reached it. */
import { compare, valuesOf } from './comparison.js'
import { isLessBetter, METRICS, type MetricName } from './metrics.js'
import { isYardstick, type PeerName } from './peers/index.js'
import type { Results } from './results.js'
import { ratio, type Summary, summarize } from './statistics.js'

/** A figure of Busway's. */
export interface Goal {
  scenario: string
  metric: MetricName
  /** Whose figure it is measured by; without one, the bound is for the figure itself. */
  beside?: PeerName | 'busway'
  /** In another scenario than Busway's own. */
  besideIn?: string
  /** A variant of Busway that is meant, instead of Busway itself. */
  of?: PeerName
  bound: Bound
}

export type Bound = { atLeast: number } | { atMost: number }

export interface Verdict {
  goal: Goal
  /** The ratio, or the figure itself; undefined if the run did not measure it. */
  measured: Summary | undefined
  isReached: boolean
}

const OURS = 'busway'

const times = (scenario: string, atLeast: number, beside: PeerName, metric: MetricName = 'perSecond'): Goal => ({
  scenario,
  metric,
  beside,
  bound: { atLeast },
})
const share = (scenario: string, metric: MetricName, atMost: number, beside: PeerName): Goal => ({
  scenario,
  metric,
  beside,
  bound: { atMost },
})
/** The practical limit: the same data model, without the library. */
const ofLimit = (scenario: string): Goal => times(scenario, 0.75, 'raw-loop')
const withPlugins = (scenario: string): Goal[] =>
  (['busway-plugins', 'busway-plugins-used'] as const).map((of) => ({ ...times(scenario, 0.5, OURS), of }))

export const GOALS: readonly Goal[] = [
  times('publish-concurrent', 10, 'bullmq'),
  times('publish-batch', 12, 'bullmq'),
  times('consume-1', 40, 'bullmq'),
  times('consume-100', 12, 'bullmq'),
  times('end-to-end', 10, 'bullmq'),
  times('keyed-10000', 5, 'bullmq'),
  share('publish-concurrent', 'redisCpuUs', 0.06, 'bullmq'),
  share('consume-100', 'redisCpuUs', 0.06, 'bullmq'),
  share('end-to-end', 'redisCpuUs', 0.06, 'bullmq'),
  share('idle-latency', 'p50Us', 0.6, 'bullmq'),
  share('idle-latency', 'p99Us', 0.6, 'bullmq'),
  share('steady', 'p50Us', 0.6, 'bullmq'),
  share('steady', 'p99Us', 0.6, 'bullmq'),
  share('steady', 'p999Us', 0.6, 'bullmq'),
  share('memory-together', 'bytes', 0.4, 'bullmq'),
  share('memory-alone', 'bytes', 0.6, 'bullmq'),
  ofLimit('publish-concurrent'),
  ofLimit('publish-batch'),
  ofLimit('consume-1'),
  ofLimit('consume-10'),
  ofLimit('consume-100'),
  ofLimit('end-to-end'),
  share('publish-awaited', 'p50Us', 1.15, 'round-trip'),
  share('idle-latency', 'p50Us', 2, 'hand-over'),
  ...withPlugins('publish-concurrent'),
  ...withPlugins('consume-100'),
  ...withPlugins('end-to-end'),
  { ...times('fan-out-10', 0.5, OURS), besideIn: 'fan-out-1' },
  { ...times('backlog-1m', 0.9, OURS, 'handledPerSecond'), besideIn: 'backlog-1k' },
  { scenario: 'idle-subscriptions', metric: 'connections', bound: { atMost: 2 } },
  { scenario: 'idle-subscriptions', metric: 'clientCpuPercent', bound: { atMost: 0.5 } },
]

/** Each goal with what the run measured. */
export function judge(results: Results, goals: readonly Goal[] = GOALS): Verdict[] {
  return goals.map((goal) => {
    const measured = measure(results, goal)
    return { goal, measured, isReached: measured !== undefined && keeps(measured.median, goal.bound) }
  })
}

function measure(results: Results, { scenario, metric, of = OURS, beside, besideIn }: Goal): Summary | undefined {
  const ours = valuesOf(results, scenario, of, metric)
  if (ours.length === 0) return undefined
  if (beside === undefined) return summarize(ours)
  const theirs = valuesOf(results, besideIn ?? scenario, beside, metric)
  return theirs.length > 0 ? ratio(ours, theirs) : undefined
}

const keeps = (value: number, bound: Bound): boolean =>
  'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost

/** A scenario's first figure in which another queue was ahead. */
export interface Behind {
  scenario: string
  peer: string
  what: string
  /** Busway's as a multiple of the other's. */
  times: number
}

/** Where another queue had the better median, of every scenario's most important figure; and of how many comparisons. */
export function behind(results: Results): { comparisons: number; lost: Behind[] } {
  const lost: Behind[] = []
  let comparisons = 0
  for (const { name: scenario, peers, rows } of compare(results)) {
    const [row] = rows
    if (!row) continue
    peers.slice(1).forEach((peer, i) => {
      const times = row.ratios[i]?.median
      if (times === undefined || isYardstick(peer) || peer === 'raw-loop') return
      comparisons++
      if (isLessBetter(row.metric) ? times > 1 : times < 1)
        lost.push({ scenario, peer, what: METRICS[row.metric], times })
    })
  }
  return { comparisons, lost }
}
