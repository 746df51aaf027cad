/** Reads batches that anybody may have written: every read is within bounds, and nothing is allocated by a number that was read. */
import { BuswayError } from '../errors/busway-error.js'
import { type DecodedExtra, decodeExtra, noExtra } from './decode-extras.js'
import { type DecodedProperties, decodeProperties } from './decode-properties.js'
import { EXPIRES, EXTRAS, HEADER_BYTES, JSON_TYPE, type ReportTo, SEPARATOR, VERSION } from './format.js'
import { read32, undecodable } from './read.js'

/** A longer text is kept apart by V8, where copies and garbage cost more: parsing it is slower than parsing its parts. */
const PARSED_TOGETHER_BYTES = 64 * 1024

/** A decoded batch, or a slice of one. Bodies and extras are read when asked for. */
export class Envelope {
  readonly count: number
  /** When its oldest message was handed over, milliseconds since the epoch by Redis' clock. */
  readonly timeMs: number
  readonly source: string
  /** Of all messages; see `keyOf`. */
  readonly key: string | undefined
  readonly keys: readonly string[] | undefined
  readonly priority: number
  readonly owns: readonly string[]
  readonly reportTo: ReportTo | undefined
  /** The message's own id. */
  readonly id: string | undefined
  /** How long it is kept how each group ended it. */
  readonly keepResultMs: number | undefined

  readonly #bytes: Buffer
  readonly #table: number
  readonly #expires: number
  readonly #extraTable: number
  readonly #extras: number
  readonly #bodies: number

  constructor(bytes: Buffer, layout: Layout, properties: DecodedProperties) {
    this.#bytes = bytes
    this.count = layout.count
    this.timeMs = layout.timeMs
    this.#table = layout.table
    this.#expires = layout.expires
    this.#extraTable = layout.extraTable
    this.#extras = layout.extras
    this.#bodies = layout.bodies
    this.source = properties.source
    this.key = properties.key
    this.keys = properties.keys
    this.priority = properties.priority
    this.owns = properties.owns
    this.reportTo = properties.reportTo
    this.id = properties.id
    this.keepResultMs = properties.keepResultMs
  }

  /** The ordering key of message `index`. */
  keyOf(index: number): string | undefined {
    return this.keys === undefined ? this.key : this.keys[index]
  }

  /** The bytes of message `index`'s body; a view, not a copy. */
  body(index: number): Buffer {
    const first = this.#bodies - read32(this.#bytes, this.#table)
    const at = this.#table + 4 * index
    return this.#bytes.subarray(first + read32(this.#bytes, at), first + read32(this.#bytes, at + 4) - 1)
  }

  /** Whether every message is JSON and has nothing of its own but a body. */
  get isPlain(): boolean {
    return this.#extraTable === 0
  }

  /** Whether one parse is the better way to have all bodies. */
  get isParsedTogether(): boolean {
    return this.isPlain && this.#bytes.length - this.#bodies <= PARSED_TOGETHER_BYTES
  }

  /** All bodies by one parse. Throws UNDECODABLE if any is not JSON, or is several: then decode each by itself. */
  parseAll(): unknown[] {
    let bodies: unknown[]
    try {
      bodies = JSON.parse(`[${this.#bytes.toString('utf8', this.#bodies, this.#bytes.length - 1)}]`) as unknown[]
    } catch (cause) {
      throw new BuswayError('UNDECODABLE', 'A body of the batch is not JSON', { cause })
    }
    if (bodies.length !== this.count) throw undecodable('a body is not one JSON text')
    return bodies
  }

  /** When message `index` expires by Redis' clock; 0 is never. */
  expiresAtMs(index: number): number {
    return this.#expires === 0 ? 0 : Number(this.#bytes.readBigUInt64LE(this.#expires + 8 * index))
  }

  /** Type, content type and headers of message `index`. Throws UNDECODABLE. */
  extra(index: number): DecodedExtra {
    if (this.#extraTable === 0) return noExtra
    const first = this.#extras - read32(this.#bytes, this.#extraTable)
    const at = this.#extraTable + 4 * index
    const from = first + read32(this.#bytes, at)
    const to = first + read32(this.#bytes, at + 4)
    return from === to ? noExtra : decodeExtra(this.#bytes, from, to)
  }

  contentType(index: number): string {
    return this.extra(index).contentType ?? JSON_TYPE
  }
}

interface Layout {
  count: number
  timeMs: number
  table: number
  expires: number
  extraTable: number
  extras: number
  bodies: number
}

/** Whether any message of a batch or slice expires, told from its header alone. */
export const mayExpire = (value: Uint8Array): boolean => ((value[1] ?? 0) & EXPIRES) !== 0

/** Reads a batch or a slice of one. Throws UNDECODABLE for whatever docs/wire-format.md does not describe. */
export function decodeBatch(value: Uint8Array): Envelope {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (bytes.length < HEADER_BYTES)
    throw undecodable(`it has ${bytes.length} bytes, its header alone has ${HEADER_BYTES}`)
  if (bytes[0] !== VERSION) throw undecodable(`its version is ${bytes[0]}, this client knows ${VERSION}`)
  const flags = bytes[1] as number
  if ((flags & ~(EXPIRES | EXTRAS)) !== 0) throw undecodable(`it has flags that this client does not know (${flags})`)
  const count = bytes.readUInt16LE(2)
  if (count === 0) throw undecodable('it holds no message')

  const table = HEADER_BYTES + bytes.readUInt16LE(10)
  const tableBytes = 4 * (count + 1)
  const expires = table + tableBytes
  const extraTable = expires + (flags & EXPIRES ? 8 * count : 0)
  const extras = extraTable + (flags & EXTRAS ? tableBytes : 0)
  if (extras > bytes.length) throw undecodable('it ends before its tables do')
  const bodies = flags & EXTRAS ? extras + checkTable(bytes, extraTable, count, 0) : extras
  const end = bodies + checkTable(bytes, table, count, 1)
  if (end !== bytes.length) throw undecodable(`it has ${bytes.length} bytes and its tables say ${end}`)
  checkSeparators(bytes, table, count, bodies)

  const layout: Layout = {
    count,
    timeMs: bytes.readUIntLE(4, 6),
    table,
    expires: flags & EXPIRES ? expires : 0,
    extraTable: flags & EXTRAS ? extraTable : 0,
    extras,
    bodies,
  }
  const properties = decodeProperties(bytes, HEADER_BYTES, table)
  if (properties.keys !== undefined && properties.keys.length !== count)
    throw undecodable(`it has ${properties.keys.length} keys for ${count} messages`)
  return new Envelope(bytes, layout, properties)
}

/** The size of the region that a table describes. */
function checkTable(bytes: Buffer, table: number, count: number, least: number): number {
  const first = read32(bytes, table)
  let last = first
  for (let i = 1; i <= count; i++) {
    const end = read32(bytes, table + 4 * i)
    if (end < last + least) throw undecodable('a table does not rise')
    last = end
  }
  return last - first
}

function checkSeparators(bytes: Buffer, table: number, count: number, bodies: number): void {
  const first = bodies - read32(bytes, table)
  for (let i = 1; i <= count; i++) {
    if (bytes[first + read32(bytes, table + 4 * i) - 1] !== SEPARATOR)
      throw undecodable('a body does not end where its table says')
  }
}
