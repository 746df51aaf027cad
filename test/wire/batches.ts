/** Random batches, and slices of them cut as a script cuts them. */
import fc from 'fast-check'
import type { BatchProperties, WireMessage } from '../../packages/bus/src/wire/index.js'

const words = fc.string({ unit: 'grapheme', maxLength: 12 })
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 })

export const properties: fc.Arbitrary<BatchProperties> = fc
  .record({
    source: fc.string({ minLength: 1, maxLength: 20 }),
    key: some(words),
    priority: some(fc.integer().filter((n) => n !== 0)),
    owns: some(fc.array(words, { minLength: 1, maxLength: 3 })),
    reportTo: some(
      fc.oneof(
        fc.record({ topic: words, key: words }),
        fc.record({ requester: words, request: words, untilMs: fc.maxSafeNat() }),
      ),
    ),
    id: some(words),
    keepResultMs: some(fc.maxSafeNat()),
  })
  .map(
    (all) =>
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as BatchProperties,
  )

const body: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  fc.json(),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

export const message: fc.Arbitrary<WireMessage> = fc
  .record({
    body,
    type: some(words),
    contentType: some(words),
    headers: some(fc.dictionary(words, words, { minKeys: 1, maxKeys: 3 })),
    expiresAtMs: some(fc.integer({ min: 1, max: 2 ** 47 })),
  })
  .map((all) => ({ ...all, bodyBytes: Buffer.byteLength(all.body) }))

export const messages = fc.array(message, { minLength: 1, maxLength: 12 })

/** Messages `from` to `from + count - 1` as docs/wire-format.md describes a slice, independently of the decoder. */
export function cut(batch: Buffer, from: number, count: number): Buffer {
  const flags = batch[1] as number
  const total = batch.readUInt16LE(2)
  const table = 12 + batch.readUInt16LE(10)
  const expires = table + 4 * (total + 1)
  const extraTable = expires + (flags & 1 ? 8 * total : 0)
  const extras = extraTable + (flags & 2 ? 4 * (total + 1) : 0)
  const u32 = (at: number): number => batch.readUInt32LE(at)
  const bodies = extras + (flags & 2 ? u32(extraTable + 4 * total) - u32(extraTable) : 0)
  const region = (start: number, at: number): Buffer => {
    const first = u32(at)
    return batch.subarray(start - first + u32(at + 4 * from), start - first + u32(at + 4 * (from + count)))
  }
  const header = Buffer.from(batch.subarray(0, table))
  header.writeUInt16LE(count, 2)
  return Buffer.concat([
    header,
    batch.subarray(table + 4 * from, table + 4 * (from + count + 1)),
    ...(flags & 1 ? [batch.subarray(expires + 8 * from, expires + 8 * (from + count))] : []),
    ...(flags & 2
      ? [batch.subarray(extraTable + 4 * from, extraTable + 4 * (from + count + 1)), region(extras, extraTable)]
      : []),
    region(bodies, table),
  ])
}
