/**
 * CRC-64-AVRO, the Rabin fingerprint of the Avro specification 1.11.1, "Schema Fingerprints": a shift by a byte and a table of 256. avsc has none.
 */

const EMPTY = 0xc15d213aa4d7a795n

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let fingerprint = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ (fingerprint & 1n ? EMPTY : 0n)
  return fingerprint
})

export function crc64(bytes: Uint8Array): bigint {
  let fingerprint = EMPTY
  for (const byte of bytes)
    fingerprint = (fingerprint >> 8n) ^ (TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)] as bigint)
  return fingerprint
}

/** Of a schema's canonical text, as its eight bytes stand in a message: the least significant first. */
export function fingerprintOf(canonical: string): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(crc64(Buffer.from(canonical)))
  return bytes
}
