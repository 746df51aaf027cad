/** A run as Markdown, for the docs: what was wanted and is so or not, then each scenario. */
import { type ComparisonRow, compare, type ScenarioComparison } from './comparison.js'
import { type Behind, type Bound, behind, type Goal, judge, type Verdict } from './goals.js'
import { COSTS, METRICS, type MetricName } from './metrics.js'
import { doubts, format, summaryOf } from './report.js'
import type { Results } from './results.js'
import type { Summary } from './statistics.js'
import { capitalized } from './words.js'

/** The part of docs/performance.md that nobody types. */
export function figures(results: Results): string {
  const heading = `${summaryOf(results)}. Medians of ${results.rounds} rounds of about ${results.seconds} s, in parentheses the least and the greatest; a figure with an x says how many times the other's Busway's is.`
  return [
    `${heading}${doubts(results)}`,
    '### What is asked, and what is reached',
    goalsTable(judge(results)),
    aheadOfWhom(behind(results)),
    ...compare(results).map(section),
  ].join('\n\n')
}

export function goalsTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ goal, measured, isReached }) => [
    `[\`${goal.scenario}\`](#${goal.scenario})`,
    METRICS[goal.metric],
    besideWhom(goal),
    bound(goal.bound, goal.beside === undefined ? '' : 'x'),
    measured ? spread(measured, goal.beside === undefined ? '' : 'x') : '-',
    measured ? (isReached ? 'yes' : '**no**') : 'not measured',
  ])
  return table(['scenario', 'figure', 'beside', 'asked', 'measured', 'reached'], ['', '', '', '---:', '---:', ''], rows)
}

function besideWhom({ of, beside, besideIn }: Goal): string {
  if (beside === undefined) return '-'
  const ours = of === undefined ? '' : `\`${of}\` beside `
  return `${ours}\`${beside}\`${besideIn === undefined ? '' : ` in \`${besideIn}\``}`
}

const bound = (bound: Bound, unit: string): string =>
  'atLeast' in bound ? `at least ${bound.atLeast}${unit}` : `at most ${bound.atMost}${unit}`

function aheadOfWhom({ comparisons, lost }: { comparisons: number; lost: readonly Behind[] }): string {
  const ahead = `In the first figure of each scenario Busway is ahead of another queue in ${comparisons - lost.length} of ${comparisons} comparisons`
  if (lost.length === 0) return `${ahead}.`
  const where = lost.map(
    ({ scenario, peer, what, times }) => `\`${scenario}\` (${what}, \`${peer}\`: ${format(times)}x)`,
  )
  return `${ahead}. It is behind in ${where.join(', ')}.`
}

/** Its chart and its own figures; what each message costs is folded. */
function section({ name, title, peers, rows }: ScenarioComparison): string {
  const isCost = ({ metric }: ComparisonRow) => (COSTS as readonly MetricName[]).includes(metric)
  const costs = rows.filter(isCost)
  const parts = [
    `### ${name}`,
    `![${capitalized(title)}](charts/${name}.svg)`,
    byPeer(
      peers,
      rows.filter((row) => !isCost(row)),
    ),
  ]
  if (costs.length > 0)
    parts.push(`<details><summary>What a message costs</summary>`, byPeer(peers, costs), '</details>')
  return parts.join('\n\n')
}

function byPeer(peers: readonly string[], rows: readonly ComparisonRow[]): string {
  return table(
    ['', ...rows.map(({ metric }) => METRICS[metric])],
    ['', ...rows.map(() => '---:')],
    peers.map((peer, i) => [peer, ...rows.map(({ figures, ratios }) => cell(figures[i], ratios[i - 1]))]),
  )
}

function cell(figure: Summary | undefined, times: Summary | undefined): string {
  if (!figure) return '-'
  return times ? `${spread(figure)}, ${format(times.median)}x` : spread(figure)
}

function spread({ median, min, max }: Summary, unit = ''): string {
  return min === max ? `${format(median)}${unit}` : `${format(median)}${unit} (${format(min)}-${format(max)})`
}

function table(header: readonly string[], alignment: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [header, alignment.map((each) => each || '---'), ...rows].map(line).join('\n')
}
