/** A message that is stored, written anew with another priority or body; all else is as it was. */
import type { Envelope } from './decode.js'
import { encodeBatch, encodeProperties, type WireMessage } from './encode.js'

export interface Rewriting {
  readonly priority?: number | undefined
  readonly body?: Pick<WireMessage, 'body' | 'bodyBytes' | 'contentType' | 'headers'> | undefined
}

/** `envelope` is of that message alone. Throws UNDECODABLE. */
export function rewriteMessage(envelope: Envelope, { priority = envelope.priority, body }: Rewriting): Buffer {
  const { source, key, owns, reportTo, id, keepResultMs, timeMs } = envelope
  const properties = encodeProperties({
    ...{ source, priority, owns },
    ...(key === undefined ? {} : { key }),
    ...(reportTo === undefined ? {} : { reportTo }),
    ...(id === undefined ? {} : { id }),
    ...(keepResultMs === undefined ? {} : { keepResultMs }),
  })
  const { type, contentType, headers } = envelope.extra(0)
  const kept = envelope.body(0)
  const expiresAtMs = envelope.expiresAtMs(0)
  const written = body ?? {
    ...{ body: kept, bodyBytes: kept.length, contentType },
    headers: isEmpty(headers) ? undefined : headers,
  }
  const message: WireMessage = {
    ...{ type, body: written.body, bodyBytes: written.bodyBytes },
    ...{ contentType: written.contentType, headers: written.headers },
    ...(expiresAtMs === 0 ? {} : { expiresAtMs }),
  }
  return encodeBatch(timeMs, properties, [message])
}

const isEmpty = (headers: object): boolean => Object.keys(headers).length === 0
