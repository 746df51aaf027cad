import type { Row } from '../accounting/books.js'

const COLUMNS: { head: string; cell(row: Row): string }[] = [
  { head: 'group', cell: ({ group }) => group },
  { head: 'published', cell: ({ published }) => String(published) },
  { head: 'settled', cell: ({ settled }) => String(settled) },
  { head: 'retried', cell: ({ retried }) => String(retried) },
  { head: 'dead', cell: ({ dead }) => String(dead) },
  { head: 'redriven', cell: ({ redriven }) => String(redriven) },
  { head: 'rerun', cell: ({ rerun }) => String(rerun) },
  { head: 'lost', cell: ({ lost }) => String(lost) },
  { head: 'duplicated', cell: ({ duplicated }) => String(duplicated) },
  { head: 'rate/s', cell: ({ ratePerSecond }) => ratePerSecond.toFixed(0) },
  { head: 'p50 ms', cell: ({ p50Ms }) => p50Ms.toFixed(0) },
  { head: 'p99 ms', cell: ({ p99Ms }) => p99Ms.toFixed(0) },
]

/** The final table, as lines. Numbers stand to the right. */
export function tableOf(rows: readonly Row[]): string[] {
  const lines = [COLUMNS.map(({ head }) => head), ...rows.map((row) => COLUMNS.map(({ cell }) => cell(row)))]
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)))
  return lines.map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
}
