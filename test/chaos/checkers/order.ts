import { groupBy, type Reading, type Run } from '../runs.js'
import type { Checker } from './checker.js'

/** What the clocks of two processes may differ by, each measured against Redis'. */
export const CLOCKS_MS = 10

/** O: messages of one key start in their order, and none while another of them runs, but for runs of those that had lost their lease. */
export const order: Checker = (reading) => {
  const keyed = reading.runs.filter((run) => run.key !== undefined && !wasFenced(reading, run))
  const keys = groupBy(keyed, ({ topic, group, key }) => `${key} of ${topic} in ${group}`)
  return [...keys].flatMap(([what, runs]) => problemsOf(what, runs, reading))
}

function problemsOf(what: string, runs: readonly Run[], reading: Reading): string[] {
  const found: string[] = []
  let last: Run | undefined
  let busy: Run | undefined
  for (const run of runs) {
    if (last !== undefined && (run.keySeq as number) < (last.keySeq as number))
      found.push(`${what}: ${run.keySeq} (${run.run}) came after ${last.keySeq} (${last.run})`)
    else last = run
    if (run.startMs < overMs(busy) - CLOCKS_MS) found.push(`${what}: ${run.run} began while ${busy?.run} ran`)
    if (busy === undefined || overMs(run) > overMs(busy)) busy = run
    // The server forgot this end, and all that came after it: what follows begins anew.
    if (reading.lost(run.settled?.serverMs ?? run.startMs)) last = busy = undefined
  }
  return found
}

const overMs = (run: Run | undefined) => run?.ended?.serverMs ?? Number.NEGATIVE_INFINITY

/** Nothing it did counted: its process had been stopped or killed, or was told so. */
function wasFenced(reading: Reading, run: Run): boolean {
  if (run.settled) return run.settled.refused
  return !reading.isFinal(run) && reading.disturbed(run.process, run.startMs, Number.POSITIVE_INFINITY)
}
