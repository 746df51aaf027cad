/** Removes a session from Redis and releases what it holds, within a time. */
import { close, type GroupRef, type LeasePart } from '@busway/lua'
import type { HeldRange } from './held-range.js'
import type { SessionParts } from './session-parts.js'

/** A message that runs, by its place in what the session holds. */
export interface RunningPart {
  readonly range: HeldRange
  readonly index: number
}

/** Releases all but `running`; resolves with how many. Never rejects: what was not released is, when the lease ends. */
export async function release(
  { runner, topic, id, log }: SessionParts,
  group: GroupRef,
  running: readonly RunningPart[],
  timeoutMs: number,
): Promise<number> {
  const request = { group, session: id, running: running.map(partOf) }
  try {
    // A call under way is not cut short by its own time limit: a socket that hangs takes longer to be noticed.
    const reply = await inTime(runner.runRepeatable(close, topic, request, timeoutMs), timeoutMs)
    return reply.status === 'ok' ? reply.released : 0
  } catch (error) {
    log.warn(
      { error: String(error), session: id },
      'The consumer session was not closed in Redis; it ends with its lease',
    )
    return 0
  }
}

async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${Math.round(ms)} ms`)), ms)
  })
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    clearTimeout(timer)
  }
}

const partOf = ({ range, index }: RunningPart): LeasePart => ({
  lease: range.lease,
  from: range.from + index,
  count: 1,
})
