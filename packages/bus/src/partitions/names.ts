/**
 * What the partitions of a topic are called in Redis, and which of them a key chooses. Both are fixed for ever: see docs/wire-format.md.
 *
 * A partition is a topic of its own there, called `<topic>#<index>.<count>.<salt>`: in another slot than its sisters, with all of its keys. The salt is the
 * least that puts it into the middle half of its share of the slots: masters that have equal shares have equally many partitions.
 */
import { crc16, crc16With, SLOTS } from '../redis/slots.js'
import { murmur2 } from './murmur2.js'

const known = new Map<string, readonly string[]>()
/** Topics are few; names that somebody makes up without end are not kept. */
const MOST_KNOWN = 1_000
const DIGIT_0 = 48

/** In their order. Of a topic without partitions: itself. */
export function partitionNames(topic: string, count: number): readonly string[] {
  if (count === 1) return [topic]
  const name = `${topic} ${count}`
  let names = known.get(name)
  if (names !== undefined) return names
  names = Array.from({ length: count }, (_, index) => nameOf(topic, index, count))
  if (known.size < MOST_KNOWN) known.set(name, names)
  return names
}

function nameOf(topic: string, index: number, count: number): string {
  const unsalted = `${topic}#${index}.${count}.`
  const before = crc16(unsalted)
  const share = SLOTS / count
  /** With each salt so far: the next has the digits of one of them, and one more. */
  const crcs: number[] = []
  for (let salt = 0; ; salt++) {
    const shorter = salt < 10 ? before : (crcs[Math.floor(salt / 10)] as number)
    const crc = crc16With(shorter, DIGIT_0 + (salt % 10))
    crcs.push(crc)
    const within = (crc % SLOTS) / share - index
    if (within >= 0.25 && within < 0.75) return unsalted + salt
  }
}

/** The index of the partition that a key chooses. */
export const partitionOfKey = (key: string, count: number): number => (murmur2(Buffer.from(key)) & 0x7fffffff) % count

export interface Partition {
  readonly topic: string
  readonly count: number
}

/** What a name in Redis is a partition of; `undefined` for a topic by itself, and for what is not named as partitions are. */
export function partitionOf(name: string): Partition | undefined {
  const parts = /^([^#]+)#(\d{1,4})\.(\d{1,4})\.\d+$/.exec(name)
  if (parts === null) return undefined
  const [topic, index, count] = [parts[1] as string, Number(parts[2]), Number(parts[3])]
  if (count < 2 || count > MOST_PARTITIONS) return undefined
  return partitionNames(topic, count)[index] === name ? { topic, count } : undefined
}

export const MOST_PARTITIONS = 1_024
