import type { MessageHistory } from './history.js'

/** How fast a group was. */
export interface Pace {
  /** Messages settled a second, from the first run to the last settle. */
  ratePerSecond: number
  /** From a message's time to the start of its first run, in milliseconds. */
  p50Ms: number
  p99Ms: number
}

export function paceOf(messages: readonly MessageHistory[]): Pace {
  let firstRun = Number.POSITIVE_INFINITY
  let lastSettle = Number.NEGATIVE_INFINITY
  const waits: number[] = []
  for (const { runs, settles } of messages) {
    const first = firstOf(runs)
    if (first) {
      firstRun = Math.min(firstRun, first.at)
      waits.push(first.waitedMs)
    }
    for (const { at } of settles) lastSettle = Math.max(lastSettle, at)
  }
  waits.sort((a, b) => a - b)
  const seconds = Math.max(1, lastSettle - firstRun) / 1000
  return {
    ratePerSecond: messages.length === 0 ? 0 : messages.length / seconds,
    p50Ms: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
  }
}

/** The earliest: the lines of several processes are in no order. */
const firstOf = <T extends { at: number }>(runs: readonly T[]): T | undefined =>
  runs.reduce<T | undefined>((first, run) => (first && first.at <= run.at ? first : run), undefined)

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
