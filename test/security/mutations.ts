/** Damage to bytes that were right, of the kinds that decoders stumble over. */
import fc from 'fast-check'

export const mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'cut', 'grow', 'big', 'copy', 'remove', 'count'),
  at: fc.nat(),
  value: fc.nat(0xffff),
})
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never

export function mutated(bytes: Buffer, { kind, at, value }: Mutation): Buffer {
  if (bytes.length === 0) return Buffer.alloc(1 + (value % 64), value)
  const place = at % bytes.length
  const changed = Buffer.from(bytes)
  switch (kind) {
    case 'set':
      changed[place] = value
      return changed
    case 'flip':
      changed[place] = (changed[place] as number) ^ (1 << (value % 8))
      return changed
    case 'cut':
      return changed.subarray(0, place)
    case 'grow':
      return Buffer.concat([changed, Buffer.alloc(1 + (value % 300), value)])
    case 'big':
      return Buffer.concat([changed.subarray(0, place), Buffer.alloc(4, 0xff), changed.subarray(place + 4)])
    case 'copy':
      return Buffer.concat([changed.subarray(0, place), changed.subarray(value % changed.length)])
    case 'remove':
      return Buffer.concat([changed.subarray(0, place), changed.subarray(place + 1 + (value % 8))])
    case 'count':
      if (changed.length >= 4) changed.writeUInt16LE(value, 2)
      return changed
  }
}
