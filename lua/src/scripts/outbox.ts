import { bytes, guardErrors, integer, list, text } from '../codec.js'
import type {
  OutboxEntry,
  OutboxReadReply,
  OutboxReadRequest,
  OutboxTrimReply,
  OutboxTrimRequest,
  RelayReply,
  RelayRequest,
  Script,
} from '../contract.js'

export const outboxRead: Script<OutboxReadRequest, OutboxReadReply> = {
  name: 'outbox-read',
  args: ({ limit }) => [limit],
  reply(raw) {
    const [more, flat] = list(raw)
    const items = list(flat)
    const entries: OutboxEntry[] = []
    for (let i = 0; i + 2 < items.length; i += 3) {
      entries.push({ destination: text(items[i]), tag: text(items[i + 1]), entry: bytes(items[i + 2]) })
    }
    return { entries, more: integer(more) === 1 }
  },
}

export const relay: Script<RelayRequest, RelayReply> = {
  name: 'relay',
  args: ({ entries }) => [...entries],
  reply(raw) {
    const [nowMs, applied, errors, outbox, deleted] = list(raw)
    return {
      nowMs: integer(nowMs),
      applied: integer(applied),
      guardErrors: guardErrors(errors),
      outbox: integer(outbox) === 1,
      deleted: integer(deleted) === 1,
    }
  },
}

export const outboxTrim: Script<OutboxTrimRequest, OutboxTrimReply> = {
  name: 'outbox-trim',
  args: ({ destination, tags }) => [destination, ...tags],
  reply: (raw) => ({ left: integer(raw) }),
}
