import type { DeadLetterItem } from '@busway/lua'
import type { DeadLetter, DeadReason } from '../api/index.js'
import { decodeWith } from '../consume/body-decoder.js'
import { decodeError } from '../consume/error-record.js'
import type { Pipeline } from '../seams.js'
import { decodeBatch, type Envelope, JSON_TYPE, messageId } from '../wire/index.js'

/** A dead letter as it is shown: what can't be decoded is shown as bytes, and nothing hides a letter. */
export async function readDeadLetter(
  topic: string,
  item: DeadLetterItem,
  decode: Pipeline['decode'],
): Promise<DeadLetter> {
  const id = messageId(item.batch, 0)
  const { name, message, stack } = decodeError(item.error)
  const { key, headers, body } = await contents(topic, id, item.value, decode)
  return {
    id,
    topic,
    ...(key === undefined ? {} : { key }),
    headers,
    body,
    attempts: item.attempts,
    crashes: item.crashes,
    reason: item.reason as DeadReason,
    error: { name, message, ...(stack === undefined ? {} : { stack }) },
    diedAt: new Date(item.diedAtMs),
  }
}

interface Contents {
  readonly key?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

async function contents(topic: string, id: string, value: Buffer, decode: Pipeline['decode']): Promise<Contents> {
  let envelope: Envelope
  try {
    envelope = decodeBatch(value)
  } catch {
    return { headers: {}, body: value }
  }
  const { key } = envelope
  const bytes = envelope.body(0)
  try {
    const { headers, contentType = JSON_TYPE } = envelope.extra(0)
    try {
      return { key, headers, body: await decodeWith(decode, { topic, id, headers, contentType, body: bytes }) }
    } catch {
      return { key, headers, body: bytes }
    }
  } catch {
    return { key, headers: {}, body: bytes }
  }
}
