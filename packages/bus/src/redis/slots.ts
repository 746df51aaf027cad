/** Which slot of a cluster a topic is in: all its keys and channels are, by their hash tag. */

/** Of a cluster. */
export const SLOTS = 16_384

/** CRC-16/XMODEM, byte by byte. */
const crcs = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

const known = new Map<string, number>()
/** Topics are few; names that somebody makes up without end are not kept. */
const MOST_KNOWN = 10_000

/** `tag`: what stands between the braces of a key. */
export function slotOf(tag: string): number {
  let slot = known.get(tag)
  if (slot !== undefined) return slot
  slot = crc16(tag) % SLOTS
  if (known.size < MOST_KNOWN) known.set(tag, slot)
  return slot
}

export function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) crc = crc16With(crc, byte)
  return crc
}

/** Of a text that goes on with one byte more. */
export const crc16With = (crc: number, byte: number): number =>
  ((crc << 8) ^ (crcs[((crc >> 8) ^ byte) & 0xff] as number)) & 0xffff

/** The hash tag of a key of ours. */
export const tagOf = (key: string): string => key.slice(key.indexOf('{') + 1, key.indexOf('}'))
