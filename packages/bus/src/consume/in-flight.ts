/** Requests of a session that are under way, and what may be concluded from how they ended. */
import type { AdvanceReply, SyncReply } from '@busway/lua'
import type { RedisFailure } from '../seams.js'
import type { Shipment } from './settler.js'

export type Answer = { ok: AdvanceReply } | { failure: RedisFailure }

export interface InFlight {
  readonly number: number
  readonly shipment: Shipment
  readonly want: number
  readonly renew: boolean
  readonly sentMs: number
  answer: Answer | undefined
}

export const failureOf = (answer: Answer | undefined): RedisFailure | undefined =>
  answer !== undefined && 'failure' in answer ? answer.failure : undefined

/** It may have run or not, and the connection has to be made again. */
export const isTransportFailure = (failure: RedisFailure | undefined): boolean =>
  failure?.kind === 'unknown' || failure?.kind === 'unsent'

/** It was sent, and nobody knows whether it ran. */
export const isUnanswered = ({ answer }: InFlight): boolean =>
  answer === undefined || failureOf(answer)?.kind === 'unknown'

/** Redis says that the session is not alive. */
const saysLost = ({ answer }: InFlight): boolean =>
  answer !== undefined && 'ok' in answer && answer.ok.status === 'lost'

/**
 * The refusal, if every request was refused before the first write, or came after one that was: Redis runs no number but the next, so those
 * answered `resync`.
 */
function refusedWhole(requests: readonly InFlight[]): RedisFailure | undefined {
  const first = requests[0]?.answer
  if (first === undefined || 'ok' in first || first.failure.kind !== 'refused') return undefined
  const notApplied = ({ answer }: InFlight): boolean =>
    answer !== undefined && ('ok' in answer ? answer.ok.status === 'resync' : answer.failure.kind === 'refused')
  return requests.every(notApplied) ? first.failure : undefined
}

/** What the answers prove, when the first is not `ok`. */
export type ProvedByAnswers = { kind: 'lost' } | { kind: 'refused'; failure: RedisFailure } | { kind: 'nothing' }

export function provedByAnswers(stopped: readonly InFlight[]): ProvedByAnswers {
  if (stopped.some(saysLost)) return { kind: 'lost' }
  const failure = refusedWhole(stopped)
  return failure === undefined ? { kind: 'nothing' } : { kind: 'refused', failure }
}

/** What a sync proves of those that stopped before it. */
export type ProvedBySync =
  | { kind: 'lost' }
  /** Redis forgot what it had confirmed, or knows what was never sent. */
  | { kind: 'rolled back' }
  | {
      kind: 'applied'
      reply: Exclude<SyncReply, { status: 'lost' }>
      applied: readonly InFlight[]
      notApplied: readonly InFlight[]
    }

export function provedBySync(reply: SyncReply, stopped: readonly InFlight[], confirmed: number): ProvedBySync {
  if (reply.status === 'lost') return { kind: 'lost' }
  const sent = stopped.at(-1)?.number ?? confirmed
  if (reply.applied < confirmed || reply.applied > sent) return { kind: 'rolled back' }
  return {
    kind: 'applied',
    reply,
    applied: stopped.filter(({ number }) => number <= reply.applied),
    notApplied: stopped.filter(({ number }) => number > reply.applied),
  }
}
