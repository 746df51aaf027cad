import { setTimeout as sleep } from 'node:timers/promises'

const TICK_MS = 50
/** Messages of one publish at most: an even flow, far below the bound of a batch. */
const MOST_AT_ONCE = 250

/** Gives the items spread evenly over `overMs`, those that are due together; with 0, as fast as they are taken. Ends early when aborted. */
export async function* paced<T>(items: readonly T[], overMs: number, signal?: AbortSignal): AsyncGenerator<T[]> {
  const startMs = performance.now()
  for (let given = 0; given < items.length && !signal?.aborted; ) {
    const share = overMs === 0 ? 1 : (performance.now() - startMs) / overMs
    const due = Math.min(Math.ceil(share * items.length), items.length, given + MOST_AT_ONCE)
    if (due > given) yield items.slice(given, due)
    else await sleep(TICK_MS)
    given = Math.max(due, given)
  }
}
