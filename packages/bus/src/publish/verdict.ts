/**
 * What the answers to the requests that were under way prove, once all have been answered or lost.
 *
 * - refused by Redis, in every try: it has not happened, and neither has any that follows
 * - `gap`: it has not happened, since one before it has not; unless the server has forgotten what it confirmed: then it was rolled back
 * - `deleted`: the topic was, before it, and its session is forgotten: neither it nor any that follows has happened or ever will under its number
 * - never answered: it may have happened; only the same number in the same session can tell, whatever else a later try is answered
 */
import type { RedisFailure } from '../seams.js'
import type { PublishRequest } from './request.js'

export interface Verdict {
  /** To be sent again, in this order. */
  readonly again: PublishRequest[]
  /** Whose callers are told now. */
  readonly hopeless: PublishRequest[]
  /** The server has forgotten what it had confirmed. */
  readonly rolledBack: boolean
  /** The old session's numbers can prove nothing more. */
  readonly newSession: boolean
  /** What is sent again closes the gap that others left. */
  readonly renumber: boolean
  /** Why the next try had better wait. */
  readonly wait: RedisFailure | undefined
}

/** Refusals that trying again does not change; memory comes back when consumers catch up, which the caller should decide about. */
const lasting = new Set(['OOM', 'NOAUTH', 'WRONGPASS', 'NOPERM', 'CROSSSLOT'])

export function judge(requests: readonly PublishRequest[], confirmed: number): Verdict {
  const deleted = requests.some(({ reply }) => reply?.status === 'deleted')
  const rolledBack =
    !deleted &&
    requests.some(({ reply }) => reply?.status === 'unknown' || (reply?.status === 'gap' && reply.last < confirmed))
  const again: PublishRequest[] = []
  const hopeless: PublishRequest[] = []
  let proofLost = false
  let dropped = false
  for (const request of requests) {
    if (request.isAbandoned) {
      dropped = true
      proofLost ||= request.mayHaveHappened
    } else if (isHopeless(request)) {
      dropped = true
      // It raised half-way, which no script should: its number is not worth trusting.
      proofLost ||= request.failure?.kind === 'failed'
      hopeless.push(request)
    } else again.push(request)
  }
  const uncertain = again.some((request) => request.mayHaveHappened)
  const newSession = deleted || rolledBack || proofLost || (dropped && uncertain)
  if (newSession && !deleted && !rolledBack && uncertain) {
    // Under new numbers they could happen twice.
    hopeless.push(...again.filter((request) => request.mayHaveHappened))
    return {
      again: again.filter((request) => !request.mayHaveHappened),
      hopeless,
      rolledBack,
      newSession,
      renumber: true,
      wait: undefined,
    }
  }
  const wait = again.find(({ failure }) => failure?.kind === 'refused')?.failure
  return { again, hopeless, rolledBack, newSession, renumber: dropped, wait }
}

function isHopeless({ failure, mayHaveHappened }: PublishRequest): boolean {
  if (failure === undefined) return false
  if (failure.kind === 'failed') return true
  return failure.kind === 'refused' && !mayHaveHappened && failure.reply !== undefined && lasting.has(failure.reply)
}
