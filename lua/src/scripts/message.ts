import { bytes, failureRecord, integer, list, text } from '../codec.js'
import type { MessagePlace, MessageReply, MessageRequest, Script } from '../contract.js'

/** `undefined`: nothing of a message of that id is left. */
export const message: Script<MessageRequest, MessageReply | undefined> = {
  name: 'message',
  args: ({ id, cursor }) => [id, cursor ?? ''],
  reply(raw) {
    const parts = list(raw)
    if (parts.length === 0) return undefined
    const [nowMs, value, cursor, unclaimed, due, places] = parts
    return {
      nowMs: integer(nowMs),
      value: value === null ? null : bytes(value),
      unclaimed: integer(unclaimed) === 1,
      ...(text(due) === '' ? {} : { dueAtMs: Math.floor(Number(text(due))) }),
      places: readPlaces(list(places)),
      ...(text(cursor) === '' ? {} : { cursor: text(cursor) }),
    }
  },
}

const FIELDS = 6

function readPlaces(flat: readonly unknown[]): MessagePlace[] {
  const places: MessagePlace[] = []
  for (let i = 0; i + FIELDS <= flat.length; i += FIELDS) places.push(readPlace(flat.slice(i, i + FIELDS)))
  return places
}

function readPlace([group, state, since, record, session, info]: readonly unknown[]): MessagePlace {
  const at = text(state) as MessagePlace['state']
  const failed = text(record ?? '')
  const { attempts, crashes, reason, error } = failureRecord(failed === '' ? '0 0 - ' : failed)
  const place: MessagePlace = { group: text(group), state: at, attempts, crashes, reason, error }
  const sinceMs = text(since)
  if (sinceMs !== '')
    place[at === 'retrying' || at === 'scheduled' ? 'dueAtMs' : 'sinceMs'] = Math.floor(Number(sinceMs))
  if (at === 'inFlight') {
    place.session = text(session)
    place.info = text(info ?? '')
  }
  return place
}
