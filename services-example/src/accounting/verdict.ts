import type { MessageHistory } from './history.js'

/** What one message's history comes to. */
export interface Verdict {
  settled: boolean
  /** Runs that another had to repeat: their process was killed before the settle, or had lost the lease. */
  reruns: number
  /** Settles beyond the first. */
  settledAgain: number
  /** Runs that came to no settle although their process lived, or settles without a run. */
  unexplained: number
  retries: number
  died: boolean
}

/** One message with its judgement. */
export interface Judged extends Verdict {
  message: string
  flight: number
  history: MessageHistory
}

/**
 * Judges one message in one group. Every run must have its settle in the same process, unless that process was killed:
 * then the settle may have happened unseen, or another process ran the message again.
 */
export function judge({ runs, settles }: MessageHistory, killed: ReadonlySet<string>): Verdict {
  let cutShort = 0
  let unexplained = 0
  for (const process of new Set([...runs, ...settles].map((line) => line.process))) {
    const open = countOf(runs, process) - countOf(settles, process)
    if (open > 0 && killed.has(process)) cutShort += open
    else unexplained += Math.abs(open)
  }

  const refused = settles.filter((settle) => settle.refused).length
  const kept = settles.filter((settle) => !settle.refused)
  const done = kept.filter((settle) => settle.outcome === 'done').length
  // If no settle was seen, one of the runs cut short got through: whether really nothing is left, the bus' own numbers tell.
  const settled = done > 0 || cutShort > 0
  return {
    settled,
    reruns: refused + cutShort - (settled && done === 0 ? 1 : 0),
    settledAgain: Math.max(0, done - 1),
    unexplained,
    retries: kept.filter((settle) => settle.outcome === 'retry').length,
    died: kept.some((settle) => settle.outcome === 'dead'),
  }
}

const countOf = (lines: readonly { process: string }[], process: string): number =>
  lines.filter((line) => line.process === process).length

/** Judges all messages of a group. */
export const judgeAll = (messages: ReadonlyMap<string, MessageHistory>, killed: ReadonlySet<string>): Judged[] =>
  [...messages].map(([message, history]) => ({ message, flight: history.flight, history, ...judge(history, killed) }))
