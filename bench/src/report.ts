/** A run in words, for the terminal. */
import { type ComparisonRow, compare, type ScenarioComparison } from './comparison.js'
import { METRICS } from './metrics.js'
import type { Results } from './results.js'
import type { Trial } from './rounds.js'
import type { Summary } from './statistics.js'

/** All scenarios, a table each: medians, least to greatest in parentheses. */
export function report(results: Results): string {
  const heading = `${summaryOf(results)}\nMedians of ${results.rounds} rounds (least-greatest).`
  return [`${heading}${doubts(results)}`, ...compare(results).map(scenarioTable)].join('\n\n')
}

/** One line while a run goes on. */
export function trialLine({ round, scenario, peer, messages, seconds, metrics }: Trial): string {
  const { p50Us, perSecond = Number.NaN } = metrics
  const figure = p50Us === undefined ? `${format(perSecond)}/s` : `${format(perSecond)}/s, p50 ${format(p50Us)} µs`
  return `round ${round + 1}  ${scenario.padEnd(18)} ${peer.padEnd(14)} ${figure}  (${messages} in ${seconds.toFixed(2)} s)`
}

/** Date, machine, versions: what a figure is worth nothing without. */
export function summaryOf({ environment: e, peers, bodyBytes }: Results): string {
  const measured = peers.filter(({ version }) => version !== 'unknown')
  const versions = measured.map(({ name, version }) => `${name} ${version}`).join(', ')
  return `${e.date.slice(0, 10)}, ${e.cpus} CPUs (${e.cpu}), node ${e.node.slice(1)}, Redis ${e.redis}, ${versions}, revision ${e.revision}, ${bodyBytes}-byte bodies`
}

/** Processes that ran already when the run began, above which they take CPU from it. */
const MOST_LOAD = 0.5

/** What a reader should hold against the run; nothing, or lines that begin with a break. */
export function doubts({ quick, environment }: Results): string {
  const { loadBefore, cpus } = environment
  const busy =
    loadBefore > MOST_LOAD
      ? `\nThe machine was busy before (load ${loadBefore} on ${cpus} CPUs): others' work is in these figures.`
      : ''
  return quick ? `${busy}\nA quick run shows that the bench works; its figures are worth nothing.` : busy
}

/** Three significant digits, and separators. */
export function format(value: number): string {
  return value.toLocaleString('en-US', value >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 })
}

function scenarioTable({ name, title, peers, rows }: ScenarioComparison): string {
  const header = ['', ...peers.flatMap((peer, i) => (i === 0 ? [peer] : [peer, `${peers[0]} is`]))]
  return `${name}: ${title}\n${columns([header, ...rows.map(cells)])}`
}

function cells({ metric, figures, ratios }: ComparisonRow): string[] {
  const spread = (each: Summary | undefined, unit = '') =>
    each ? `${format(each.median)}${unit} (${format(each.min)}-${format(each.max)})` : '-'
  return [
    METRICS[metric],
    ...figures.flatMap((each, i) => (i === 0 ? [spread(each)] : [spread(each), spread(ratios[i - 1], 'x')])),
  ]
}

function columns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}
