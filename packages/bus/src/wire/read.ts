import { BuswayError } from '../errors/busway-error.js'

export const undecodable = (what: string): BuswayError =>
  new BuswayError('UNDECODABLE', `The envelope cannot be decoded: ${what}`)

/** Unchecked, so much faster than readUInt32LE: callers have checked their bounds. */
export const read32 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)) +
  (bytes[at + 3] as number) * 0x1000000
