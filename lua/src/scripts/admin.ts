import { bytes, failureRecord, integer, list, text } from '../codec.js'
import type {
  CountReply,
  DeadLetterItem,
  DeadLettersReply,
  DeadLettersRequest,
  GroupRef,
  PauseReply,
  PauseRequest,
  PurgeRequest,
  RedriveRequest,
  RemoveGroupRequest,
  Script,
  SetConcurrencyRequest,
  StatsReply,
} from '../contract.js'

export const stats: Script<void, StatsReply> = {
  name: 'stats',
  args: () => [],
  reply(raw) {
    const [nowMs, scheduled, unclaimed, outbox, retained, ...perGroup] = list(raw)
    const groups: StatsReply['groups'] = Object.create(null)
    for (const entry of perGroup) {
      const [name, ref, ready, inFlight, retrying, held, dead, paused, consumers, oldestReadyMs, limit, toReplay] =
        list(entry)
      groups[text(name)] = {
        ref: text(ref) as GroupRef,
        ready: integer(ready),
        inFlight: integer(inFlight),
        retrying: integer(retrying),
        held: integer(held),
        dead: integer(dead),
        paused: integer(paused) === 1,
        consumers: integer(consumers),
        oldestReadyMs: integer(oldestReadyMs),
        ...(integer(limit) > 0 ? { groupConcurrency: integer(limit) } : {}),
        ...(integer(toReplay) > 0 ? { replaying: integer(toReplay) } : {}),
      }
    }
    return {
      nowMs: integer(nowMs),
      scheduled: integer(scheduled),
      unclaimed: integer(unclaimed),
      outbox: integer(outbox),
      retained: integer(retained),
      groups,
    }
  },
}

export const pause: Script<PauseRequest, PauseReply> = {
  name: 'pause',
  args: ({ group, paused }) => [group, paused ? 1 : 0],
  reply: (raw) => ({ found: integer(raw) === 1 }),
}

export const setConcurrency: Script<SetConcurrencyRequest, PauseReply> = {
  name: 'set-concurrency',
  args: ({ group, limit }) => [group, limit ?? ''],
  reply: (raw) => ({ found: integer(raw) === 1 }),
}

export const deadLetters: Script<DeadLettersRequest, DeadLettersReply> = {
  name: 'dead-letters',
  args: ({ group, limit, bytes, cursor }) => [group, limit, cursor ?? '', bytes],
  reply(raw) {
    const [cursor, flat] = list(raw)
    const parts = list(flat)
    const items: DeadLetterItem[] = []
    for (let i = 0; i + 3 < parts.length; i += 4) {
      items.push({
        batch: text(parts[i]),
        value: bytes(parts[i + 1]),
        ...failureRecord(text(parts[i + 2])),
        diedAtMs: integer(parts[i + 3]),
      })
    }
    const next = text(cursor)
    return next === '' ? { items } : { items, cursor: next }
  },
}

export const redrive: Script<RedriveRequest, CountReply> = {
  name: 'redrive',
  args: ({ group, ids, untilMs, limit }) => [group, limit, untilMs ?? '', ids === undefined ? 0 : 1, ...(ids ?? [])],
  reply: count,
}

export const purge: Script<PurgeRequest, CountReply> = {
  name: 'purge',
  args: ({ group, what, limit, producer, untilMs }) => [group, what, limit, producer, untilMs ?? ''],
  reply: count,
}

export const removeGroup: Script<RemoveGroupRequest, CountReply> = {
  name: 'remove-group',
  args: ({ group, limit, producer }) => [group, limit, producer],
  reply: count,
}

export function count(raw: unknown): CountReply {
  const [done, more] = list(raw)
  return { count: integer(done), more: integer(more) === 1 }
}
