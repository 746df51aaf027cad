/**
 * MurmurHash2 (32 bits, seed 0x9747b28c), as Kafka's default partitioner uses it: whoever knows a key knows its partition, in whatever language and version. It
 * can never change, so the tests fix it by Kafka's published values.
 */
const SEED = 0x9747b28c
const M = 0x5bd1e995

/** Unsigned. */
export function murmur2(bytes: Buffer): number {
  const { length } = bytes
  const whole = length & ~3
  let h = SEED ^ length
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(bytes.readInt32LE(i), M)
    k ^= k >>> 24
    h = Math.imul(h, M) ^ Math.imul(k, M)
  }
  for (let i = length - 1; i >= whole; i--) h ^= (bytes[i] as number) << (8 * (i & 3))
  if (whole < length) h = Math.imul(h, M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return (h ^ (h >>> 15)) >>> 0
}
