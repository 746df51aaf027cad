import {
  batchMarks,
  fetchedRanges,
  guardCalls,
  guardErrors,
  guardKeys,
  integer,
  leaseParts,
  list,
  publishGuardCalls,
} from '../codec.js'
import type { AdvanceReply, AdvanceRequest, Arg, Script, ScriptName, Settle } from '../contract.js'
import { recovered } from './open.js'

/** Bits of the reply's flags, as advance.lua sets them. */
const MORE = 1
const PAUSED = 2
const DRAIN = 4
const SOLO = 8
const OUTBOX = 16
const GONE = 32
const WATCHED = 64
const LIMITED = 128

const form = (name: ScriptName): Script<AdvanceRequest, AdvanceReply> => ({ name, args, reply })

/** Settles and fetches. Runs when Redis is full, so that settling frees memory; refuses staged publishes. */
export const advance = form('advance')
/** The same with staged publishes: Redis refuses it whole when it is full. */
export const advancePublishing = form('advance-publishing')

function args(request: AdvanceRequest): Arg[] {
  const out: Arg[] = [
    request.group,
    request.session,
    request.epoch,
    request.number,
    request.want,
    request.wantBytes,
    request.renew ? 1 : 0,
    leaseParts(request.acks),
    leaseParts(request.releases),
    request.settles.length,
  ]
  const fetchCalls = request.fetchGuardCalls?.length ?? 0
  if (request.settles.length === 0 && fetchCalls === 0) return out
  out.push(guardKeys(request.guardKeys?.fetch), guardKeys(request.guardKeys?.settle))
  withArgs(out, request.fetchGuardCalls, guardCalls)
  for (const settle of request.settles) pushSettle(out, settle)
  return out
}

/** A descriptor, then the arguments that it counts. */
function withArgs<T>(out: Arg[], calls: T, describe: (calls: T, args: Arg[]) => string): void {
  const args: Arg[] = []
  out.push(describe(calls, args))
  for (const arg of args) out.push(arg)
}

function pushSettle(out: Arg[], settle: Settle): void {
  out.push(settle.outcome, settle.lease, settle.index)
  switch (settle.outcome) {
    case 'done': {
      const staged = settle.staged ?? []
      out.push(settle.result ?? '', staged.length)
      for (const { topic, batch, guardCalls: calls, guardKeys: keys } of staged) {
        out.push(topic, batchMarks(batch), batch.id ?? '', batch.value, guardKeys(keys), publishGuardCalls(calls))
      }
      break
    }
    case 'retry':
      out.push(Math.ceil(settle.delayMs), settle.counted ? 1 : 0, settle.error)
      break
    case 'dead':
      // The reason is one word of the failure record.
      out.push(encodeURIComponent(settle.reason), settle.error)
      break
  }
  withArgs(out, settle.guardCalls, guardCalls)
}

function reply(raw: unknown): AdvanceReply {
  if (typeof raw === 'number') return { status: raw === 1 ? 'resync' : 'lost' }
  const [nowMs, dueMs, last, flags, ranges, rare] = list(raw)
  const lastLease = integer(last)
  const set = integer(flags)
  const [found = [], refused = [], failures = [], skips = [], errors = []] = list(rare)
  const due = integer(dueMs)
  const fetched = list(ranges).length / 2
  const ok: AdvanceReply = {
    status: 'ok',
    nowMs: integer(nowMs),
    lastLease,
    more: (set & MORE) !== 0,
    paused: (set & PAUSED) !== 0,
    drain: (set & DRAIN) !== 0,
    solo: (set & SOLO) !== 0,
    outbox: (set & OUTBOX) !== 0,
    gone: (set & GONE) !== 0,
    watched: (set & WATCHED) !== 0,
    limited: (set & LIMITED) !== 0,
    refused: list(refused).map(integer),
    ranges: fetchedRanges(ranges, lastLease - fetched + 1, failures, skips),
    guardErrors: guardErrors(errors),
  }
  if (due >= 0) ok.dueMs = due
  const recovery = recovered(found)
  if (recovery !== undefined) ok.recovered = recovery
  return ok
}
