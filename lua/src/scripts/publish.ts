import { batchMarks, guardErrors, guardKeys, integer, list, publishGuardCalls, text } from '../codec.js'
import type { Arg, PublishOutcome, PublishReply, PublishRequest, Script } from '../contract.js'

export const publish: Script<PublishRequest, PublishReply> = {
  name: 'publish',

  args({ session, number, lowestUnanswered, batches, units, keeps, guardCalls, guardKeys: keys }) {
    const values: Arg[] = []
    const ids: Arg[] = []
    let marks = ''
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i]
      if (batch === undefined) continue
      values.push(batch.value)
      const mark = batchMarks(batch)
      if (mark === '') continue
      marks += `${i}${mark};`
      if (batch.id !== undefined) ids.push(batch.id)
    }
    const calls = publishGuardCalls(guardCalls)
    return [
      session,
      number,
      lowestUnanswered,
      batches.length,
      marks,
      (units ?? []).join(','),
      calls,
      calls === '' ? '' : guardKeys(keys),
      keeps === undefined ? '' : (keeps.bus ?? '-'),
      ...values,
      ...ids,
    ]
  },

  reply(raw) {
    const parts = list(raw)
    switch (integer(parts[0])) {
      case 0:
        return {
          status: 'ok',
          nowMs: integer(parts[1]),
          outcomes: outcomes(parts[2]),
          guardErrors: guardErrors(parts[3]),
          outbox: integer(parts[4]) === 1,
        }
      case 1:
        return { status: 'gap', last: integer(parts[1]) }
      case 3:
        return { status: 'deleted' }
      default:
        return { status: 'unknown' }
    }
  },
}

/** `[message, 'duplicate', id, message, 'reject', guard, reason, retryMs or -1, ...]` */
function outcomes(raw: unknown): PublishOutcome[] {
  const flat = list(raw)
  const result: PublishOutcome[] = []
  for (let i = 0; i < flat.length; ) {
    const message = integer(flat[i])
    if (text(flat[i + 1]) === 'duplicate') {
      result.push({ message, verdict: 'duplicate', id: text(flat[i + 2]) })
      i += 3
    } else {
      const rejection = { message, verdict: 'reject', guard: text(flat[i + 2]), reason: text(flat[i + 3]) } as const
      const retryMs = integer(flat[i + 4])
      result.push(retryMs < 0 ? rejection : { ...rejection, retryMs })
      i += 5
    }
  }
  return result
}
