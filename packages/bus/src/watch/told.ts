/** What scripts publish to the channel `events`, see docs/wire-format.md: one text with what happened to whole ranges, as one event for each message. */
import type { DeadReason, MessageSettled, OfMessage, ToldError, TopicEvent } from '../api/index.js'
import { messageId } from '../wire/index.js'

/** As it was sent; anybody can publish to a channel. */
interface Item {
  readonly type?: unknown
  readonly range?: unknown
  readonly group?: unknown
  readonly outcome?: unknown
  readonly attempt?: unknown
  readonly due?: unknown
  readonly reason?: unknown
  readonly result?: unknown
  readonly error?: unknown
  readonly value?: unknown
}

/** No batch has more. */
const MOST_MESSAGES = 65_535

/** In the order in which it happened. `undefined`: it cannot be read, and whatever it said is missed. */
export function readTold(topic: string, text: string): TopicEvent[] | undefined {
  if (text === '') return []
  let payload: unknown
  try {
    payload = JSON.parse(text)
  } catch {
    return undefined
  }
  const { time, told } = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>
  if (typeof time !== 'number' || !Array.isArray(told)) return undefined
  const events: TopicEvent[] = []
  const at = new Date(time)
  for (const item of told as Item[]) addEvents(events, topic, at, item)
  return events
}

function addEvents(events: TopicEvent[], topic: string, time: Date, item: Item): void {
  const range = /^(\d+),(\d+),\d+,(.+)$/s.exec(String(item?.range))
  if (range === null) return
  const [from, count, batch] = [Number(range[1]), Number(range[2]), range[3] as string]
  if (count > MOST_MESSAGES) return
  for (let i = 0; i < count; i++) {
    const event = eventOf(item, topic, messageId(batch, from + i), time)
    if (event === undefined) return
    events.push(event)
  }
}

function eventOf(item: Item, topic: string, id: string, time: Date): TopicEvent | undefined {
  const { type } = item
  const attempt = typeof item.attempt === 'number' ? item.attempt : undefined
  if (type === 'settled') return settledOf(item, topic, id, time, attempt)
  if (typeof item.group !== 'string') return undefined
  const of: OfMessage = { topic, group: item.group, id, time }
  switch (type) {
    case 'retried':
      return { type, ...of, attempt: attempt ?? 1, error: toldError(item.error), dueAt: new Date(Number(item.due)) }
    case 'dead': {
      const reason = reasonOf(item.reason)
      return { type, ...of, reason, ...(attempt === undefined ? {} : { attempt }), error: toldError(item.error) }
    }
    case 'redriven':
      return { type, ...of }
    case 'progress':
      return { type, ...of, attempt: attempt ?? 1, value: item.value }
    default:
      return undefined
  }
}

function settledOf(
  { group, outcome, result, error }: Item,
  topic: string,
  id: string,
  time: Date,
  attempt: number | undefined,
): TopicEvent {
  return {
    type: 'settled',
    topic,
    ...(typeof group === 'string' ? { group } : {}),
    id,
    time,
    outcome: outcome as MessageSettled['outcome'],
    ...(outcome === 'done' ? { attempt: attempt ?? 1 } : {}),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error: toldError(error) }),
  }
}

function reasonOf(reason: unknown): DeadReason {
  try {
    return decodeURIComponent(String(reason)) as DeadReason
  } catch {
    return String(reason) as DeadReason
  }
}

/** Of a record of an error, whoever wrote it. */
export function toldError(record: unknown): ToldError {
  const { name, message, code, stack } = (typeof record === 'object' && record !== null ? record : {}) as Record<
    string,
    unknown
  >
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : '',
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof stack === 'string' ? { stack } : {}),
  }
}
