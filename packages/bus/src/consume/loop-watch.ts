/** Notices that the event loop was blocked: a consumer that cannot answer for a lease loses it. One timer for all subscriptions of the process. */
import type { Logger } from '../api/index.js'

interface Watcher {
  readonly thresholdMs: number
  readonly onBlocked: (blockedMs: number) => void
}

const watchers = new Set<Watcher>()
let timer: NodeJS.Timeout | undefined
let intervalMs = 0

/** Calls `onBlocked` after the loop was blocked for `thresholdMs` or longer, until the function it returns is called. */
export function watchLoop(thresholdMs: number, onBlocked: (blockedMs: number) => void): () => void {
  const watcher = { thresholdMs, onBlocked }
  watchers.add(watcher)
  retime()
  return () => {
    watchers.delete(watcher)
    retime()
  }
}

/** Warns a consumer whose lease is in danger, until the function it returns is called. */
export const watchLease = (leaseMs: number, log: Logger): (() => void) =>
  watchLoop(leaseMs / 3, (blockedMs) =>
    log.warn(
      { blockedMs, leaseMs },
      'The event loop was blocked: after a whole lease this consumer loses its messages. Move CPU-heavy work out of it (the sandbox plugin, a worker), or raise lease',
    ),
  )

/** Often enough that the shortest threshold is not missed by much. */
function retime(): void {
  let least = Number.POSITIVE_INFINITY
  for (const { thresholdMs } of watchers) least = Math.min(least, thresholdMs)
  const wanted = watchers.size === 0 ? 0 : Math.min(Math.max(least / 4, 20), 60_000)
  if (wanted === intervalMs) return
  intervalMs = wanted
  clearTimeout(timer)
  timer = undefined
  if (wanted > 0) tick()
}

function tick(): void {
  const startMs = performance.now()
  timer = setTimeout(() => {
    timer = undefined
    const blockedMs = performance.now() - startMs - intervalMs
    for (const { thresholdMs, onBlocked } of watchers) if (blockedMs >= thresholdMs) onBlocked(Math.round(blockedMs))
    if (timer === undefined && intervalMs > 0) tick()
  }, intervalMs)
  timer.unref()
}
