import { bytes, failureRecord, integer, list, pairs, range, text } from '../codec.js'
import type { Script } from '../contract.js'
import type { PeekedRange, PeekPlace, PeekReply, PeekRequest } from '../contract-looking.js'

/** Of each range: text, value, positions done, failure, when, session. */
const FIELDS = 6

export const peek: Script<PeekRequest, PeekReply> = {
  name: 'peek',
  args: ({ group, state, limit, bytes: most, from = [''] }) => [
    group ?? '',
    state,
    limit,
    most,
    ...from.map((part) => Buffer.from(part, 'latin1')),
  ],
  reply(raw) {
    const [nowMs, on, items, infos] = list(raw)
    const flat = list(items)
    const ranges: PeekedRange[] = []
    for (let i = 0; i + FIELDS <= flat.length; i += FIELDS) ranges.push(peeked(flat.slice(i, i + FIELDS)))
    const place = list(on).map((part) => (typeof part === 'number' ? String(part) : bytes(part).toString('latin1')))
    return {
      nowMs: integer(nowMs),
      ranges,
      infos: new Map(pairs(infos, (session, info) => [text(session), text(info)] as const)),
      ...(place.length === 0 ? {} : { from: place as [string, ...string[]] satisfies PeekPlace }),
    }
  },
}

function peeked([words, value, done, failure, at, session]: unknown[]): PeekedRange {
  const { batch, from, count } = range(words)
  const { attempts, crashes, error } = failureRecord(text(failure) === '' ? '0 0' : text(failure))
  const slice = bytes(value)
  return {
    batch,
    from,
    count,
    value: slice.length === 0 ? undefined : slice,
    done: text(done) === '' ? [] : text(done).split(',').map(Number),
    attempts,
    crashes,
    ...(error === '' ? {} : { error }),
    ...(text(at) === '' ? {} : { atMs: Number(text(at)) }),
    ...(text(session) === '' ? {} : { session: text(session) }),
  }
}
