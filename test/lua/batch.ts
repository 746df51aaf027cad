/** Batches as docs/wire-format.md describes them, written and read by code of the tests' own, so that two readings of the page meet. */

export interface BatchOptions {
  readonly source?: string
  readonly timeMs?: number
  /** Tag and value, in rising order of tags, besides the source. */
  readonly properties?: readonly (readonly [tag: number, value: string])[]
  /** Per message, milliseconds since the epoch, 0 for never. */
  readonly expiresAtMs?: readonly number[]
}

const EXPIRES = 1

export function encodeBatch(bodies: readonly unknown[], options: BatchOptions = {}): Buffer {
  const { source = 'test', timeMs = 1_700_000_000_000, properties = [], expiresAtMs } = options
  const props = Buffer.concat(([[1, source], ...properties] as const).map(([tag, value]) => property(tag, value)))
  const header = Buffer.alloc(12)
  header.writeUInt8(1, 0)
  header.writeUInt8(expiresAtMs ? EXPIRES : 0, 1)
  header.writeUInt16LE(bodies.length, 2)
  header.writeUIntLE(timeMs, 4, 6)
  header.writeUInt16LE(props.length, 10)
  const texts = bodies.map((body) => Buffer.from(`${JSON.stringify(body)},`))
  const ends = Buffer.alloc(4 * (texts.length + 1))
  let end = 0
  for (const [i, text] of texts.entries()) {
    end += text.length
    ends.writeUInt32LE(end, 4 * (i + 1))
  }
  const expiries = Buffer.alloc(expiresAtMs ? 8 * bodies.length : 0)
  for (const [i, at] of (expiresAtMs ?? []).entries()) expiries.writeBigUInt64LE(BigInt(at), 8 * i)
  return Buffer.concat([header, props, ends, expiries, ...texts])
}

export function decodeBodies(value: Buffer): unknown[] {
  const count = value.readUInt16LE(2)
  const flags = value.readUInt8(1)
  if (flags & ~EXPIRES) throw new Error('the tests write no extras')
  const table = 12 + value.readUInt16LE(10)
  const region = table + 4 * (count + 1) + (flags & EXPIRES ? 8 * count : 0)
  const at = (i: number) => value.readUInt32LE(table + 4 * i) - value.readUInt32LE(table)
  return Array.from({ length: count }, (_, i) =>
    JSON.parse(value.toString('utf8', region + at(i), region + at(i + 1) - 1)),
  )
}

function property(tag: number, value: string): Buffer {
  const bytes = Buffer.from(value)
  const head = Buffer.alloc(3)
  head.writeUInt8(tag, 0)
  head.writeUInt16LE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}
