/** Writes batches: sizes first, then one buffer filled front to back. */
import { BuswayError } from '../errors/busway-error.js'
import {
  type BatchProperties,
  EXPIRES,
  EXTRAS,
  Extra,
  HEADER_BYTES,
  KEY_SEPARATOR,
  Property,
  SEPARATOR,
  VERSION,
} from './format.js'

/** A message as it goes into a batch. What is left out costs nothing. */
export interface WireMessage {
  /** JSON text, or the bytes of the content type. */
  readonly body: string | Uint8Array
  /** Of the body, in UTF-8. */
  readonly bodyBytes: number
  readonly type: string | undefined
  readonly contentType: string | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  /** A moment, or milliseconds from when Redis accepts the batch, if it is published so. */
  readonly expiresAtMs?: number | undefined
}

const sizeOf = (text: string): number => Buffer.byteLength(text)

/** The properties region; a publisher keeps the one that only has its source. */
export function encodeProperties(properties: BatchProperties): Buffer {
  const entries: [tag: number, value: string][] = [[Property.source, properties.source]]
  if (properties.key !== undefined) entries.push([Property.key, properties.key])
  if (properties.priority !== undefined && properties.priority !== 0) {
    entries.push([Property.priority, String(properties.priority)])
  }
  for (const key of properties.owns ?? []) entries.push([Property.owns, key])
  if (properties.reportTo !== undefined) entries.push([Property.reportTo, JSON.stringify(properties.reportTo)])
  if (properties.id !== undefined) entries.push([Property.id, properties.id])
  if (properties.keepResultMs !== undefined) entries.push([Property.keepResult, String(properties.keepResultMs)])
  if (properties.keys !== undefined) entries.push([Property.keys, properties.keys.join(KEY_SEPARATOR)])

  let bytes = 0
  for (const [, value] of entries) {
    const length = sizeOf(value)
    if (length > 0xffff)
      throw new BuswayError(
        'INVALID_OPTIONS',
        `A message's key, id, owns and reportTo may have 65,535 bytes at most, not ${length}.`,
      )
    bytes += 3 + length
  }
  if (bytes > 0xffff)
    throw new BuswayError(
      'INVALID_OPTIONS',
      `A message's key, id, owns and reportTo may have 65,535 bytes together, not ${bytes}.`,
    )

  const out = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const [tag, value] of entries) {
    out[at] = tag
    const length = out.write(value, at + 3)
    out.writeUInt16LE(length, at + 1)
    at += 3 + length
  }
  return out
}

function extraBytes(message: WireMessage): number {
  let bytes = 0
  if (message.type !== undefined) bytes += 5 + sizeOf(message.type)
  if (message.contentType !== undefined) bytes += 5 + sizeOf(message.contentType)
  if (message.headers !== undefined) {
    for (const name in message.headers) bytes += 7 + sizeOf(name) + sizeOf(message.headers[name] as string)
  }
  return bytes
}

function writeExtra(out: Buffer, start: number, message: WireMessage): number {
  let at = start
  if (message.type !== undefined) at = writeText(out, at, Extra.type, message.type)
  if (message.contentType !== undefined) at = writeText(out, at, Extra.contentType, message.contentType)
  if (message.headers !== undefined) {
    for (const name in message.headers) {
      const nameLength = out.write(name, at + 7)
      const valueLength = out.write(message.headers[name] as string, at + 7 + nameLength)
      out[at] = Extra.header
      out.writeUInt32LE(2 + nameLength + valueLength, at + 1)
      out.writeUInt16LE(nameLength, at + 5)
      at += 7 + nameLength + valueLength
    }
  }
  return at
}

function writeText(out: Buffer, at: number, tag: number, value: string): number {
  const length = out.write(value, at + 5)
  out[at] = tag
  out.writeUInt32LE(length, at + 1)
  return at + 5 + length
}

/** One batch of messages `from` up to but not including `to`. */
export function encodeBatch(
  timeMs: number,
  properties: Buffer,
  messages: readonly WireMessage[],
  from = 0,
  to: number = messages.length,
): Buffer {
  const count = to - from
  let flags = 0
  let bodies = count
  let extras = 0
  for (let i = from; i < to; i++) {
    const message = messages[i] as WireMessage
    bodies += message.bodyBytes
    if (message.type !== undefined || message.contentType !== undefined || message.headers !== undefined) {
      flags |= EXTRAS
      extras += extraBytes(message)
    }
    if (message.expiresAtMs !== undefined) flags |= EXPIRES
  }
  const table = 4 * (count + 1)
  const expires = flags & EXPIRES ? 8 * count : 0
  const extraTable = flags & EXTRAS ? table : 0
  const out = Buffer.allocUnsafe(HEADER_BYTES + properties.length + table + expires + extraTable + extras + bodies)

  out[0] = VERSION
  out[1] = flags
  out.writeUInt16LE(count, 2)
  out.writeUIntLE(Math.floor(timeMs), 4, 6)
  out.writeUInt16LE(properties.length, 10)
  out.set(properties, HEADER_BYTES)

  let tableAt = HEADER_BYTES + properties.length
  let expiresAt = tableAt + table
  let extraTableAt = expiresAt + expires
  const extrasStart = extraTableAt + extraTable
  let extraAt = extrasStart
  const bodiesStart = extrasStart + extras
  let bodyAt = bodiesStart
  tableAt = writeUInt32(out, tableAt, 0)
  if (extraTable > 0) extraTableAt = writeUInt32(out, extraTableAt, 0)
  for (let i = from; i < to; i++) {
    const message = messages[i] as WireMessage
    const { body } = message
    if (typeof body !== 'string') out.set(body, bodyAt)
    // ASCII, as most JSON is: copied as it is, without looking at each character.
    else if (body.length === message.bodyBytes) out.write(body, bodyAt, message.bodyBytes, 'latin1')
    else out.write(body, bodyAt, message.bodyBytes)
    bodyAt += message.bodyBytes
    out[bodyAt++] = SEPARATOR
    tableAt = writeUInt32(out, tableAt, bodyAt - bodiesStart)
    if (expires > 0) {
      out.writeBigUInt64LE(BigInt(Math.floor(message.expiresAtMs ?? 0)), expiresAt)
      expiresAt += 8
    }
    if (extraTable > 0) {
      extraAt = writeExtra(out, extraAt, message)
      extraTableAt = writeUInt32(out, extraTableAt, extraAt - extrasStart)
    }
  }
  return out
}

function writeUInt32(out: Buffer, at: number, value: number): number {
  out[at] = value
  out[at + 1] = value >>> 8
  out[at + 2] = value >>> 16
  out[at + 3] = value >>> 24
  return at + 4
}
