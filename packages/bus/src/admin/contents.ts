/** What a stored message carries, for whoever looks at it: what can't be decoded is shown as bytes, and nothing hides a message. */
import { decodeWith } from '../consume/body-decoder.js'
import type { Pipeline } from '../seams.js'
import { decodeBatch, type Envelope, JSON_TYPE } from '../wire/index.js'

export interface Contents {
  readonly key?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** A slice of a batch with what is to be known of it; its envelope is undefined if it has none of so many messages. */
export interface Slice {
  readonly value: Uint8Array
  readonly envelope: Envelope | undefined
}

export function sliceOf(value: Uint8Array, count: number): Slice {
  try {
    const envelope = decodeBatch(value)
    return { value, envelope: envelope.count === count ? envelope : undefined }
  } catch {
    return { value, envelope: undefined }
  }
}

/** Of the message at `index` of the slice. Never rejects. */
export async function contentsOf(
  topic: string,
  id: string,
  { value, envelope }: Slice,
  index: number,
  decode: Pipeline['decode'],
): Promise<Contents> {
  if (envelope === undefined) return { headers: {}, body: value }
  const own = envelope.keyOf(index)
  const key = own === undefined ? {} : { key: own }
  const bytes = envelope.body(index)
  try {
    const { headers, contentType = JSON_TYPE } = envelope.extra(index)
    try {
      return { ...key, headers, body: await decodeWith(decode, { topic, id, headers, contentType, body: bytes }) }
    } catch {
      return { ...key, headers, body: bytes }
    }
  } catch {
    return { ...key, headers: {}, body: bytes }
  }
}
