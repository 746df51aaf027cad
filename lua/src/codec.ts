/** How values become arguments and raw replies (bulk strings as Buffers, integers as numbers) become values. */

import type {
  Arg,
  BatchToPublish,
  FetchedRange,
  GuardError,
  GuardKeys,
  LeasePart,
  PublishGuardCall,
} from './contract.js'

/** A reply that no script of this package gives: another program answered, or the versions do not match. */
export class UnexpectedReply extends Error {
  override readonly name = 'UnexpectedReply'
}

export function text(raw: unknown): string {
  if (typeof raw === 'string') return raw
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8')
  if (typeof raw === 'number') return String(raw)
  throw new UnexpectedReply(`expected a string, got ${typeof raw}`)
}

export function integer(raw: unknown): number {
  if (typeof raw === 'number') return raw
  const value = Number(text(raw))
  if (!Number.isFinite(value)) throw new UnexpectedReply(`expected a number, got ${text(raw)}`)
  return value
}

export function list(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) throw new UnexpectedReply(`expected a list, got ${typeof raw}`)
  return raw
}

export function bytes(raw: unknown): Buffer {
  if (Buffer.isBuffer(raw)) return raw
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
  if (typeof raw === 'string') return Buffer.from(raw)
  throw new UnexpectedReply(`expected bytes, got ${typeof raw}`)
}

/** `[a, b, a, b, ...]` */
export function pairs<T>(raw: unknown, read: (a: unknown, b: unknown) => T): T[] {
  const flat = list(raw)
  const result: T[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) result.push(read(flat[i], flat[i + 1]))
  return result
}

/** `5` is all of lease 5, `5:3:2` its messages 3 and 4. */
export function leaseParts(parts: readonly LeasePart[]): string {
  let out = ''
  for (const { lease, from, count } of parts) {
    if (out !== '') out += ','
    out += from === undefined ? lease : `${lease}:${from}:${count ?? 1}`
  }
  return out
}

/**
 * What is special about a batch: `i` own id (an argument follows), `d<ms>` delay, `a<ms>` due at, `f` front, `e` relative expiries.
 * Whole milliseconds, so that Redis never sees a fraction.
 */
export function batchMarks(batch: BatchToPublish): string {
  let marks = ''
  if (batch.id !== undefined) marks += 'i'
  if (batch.dueAtMs !== undefined) marks += `a${Math.ceil(batch.dueAtMs)}`
  else if (batch.delayMs !== undefined && batch.delayMs > 0) marks += `d${Math.ceil(batch.delayMs)}`
  if (batch.front === true) marks += 'f'
  if (batch.expiresRelative === true) marks += 'e'
  return marks
}

/** `[message, guard from 1, [argument, ...], ...]` as MessagePack: one argument of the script, however many messages have guards. '' for none. */
export function publishGuardCalls(calls: readonly PublishGuardCall[] | undefined): Arg {
  if (calls === undefined || calls.length === 0) return ''
  const pack = new MessagePack(calls.reduce((bytes, { args }) => args.reduce(addBytes, bytes + 15), 5))
  pack.list(3 * calls.length)
  for (const { message, guard, args } of calls) {
    pack.integer(message)
    pack.integer(guard + 1)
    pack.list(args.length)
    for (const arg of args) pack.text(arg)
  }
  return pack.written()
}

/** The most that it takes. */
const addBytes = (bytes: number, arg: Arg): number =>
  bytes + 5 + (typeof arg === 'number' ? 25 : typeof arg === 'string' ? 3 * arg.length : arg.byteLength)

/** The little of MessagePack that is needed, each in its longest form. Source: the specification at msgpack.org. */
class MessagePack {
  readonly #out: Buffer
  #at = 0

  constructor(mostBytes: number) {
    this.#out = Buffer.allocUnsafe(mostBytes)
  }

  list(items: number): void {
    this.#word(0xdd, items)
  }

  integer(value: number): void {
    this.#word(0xce, value)
  }

  /** Scripts are given texts, of numbers as well. */
  text(value: Arg): void {
    const start = this.#at + 5
    let bytes: number
    if (typeof value === 'object') {
      this.#out.set(value, start)
      bytes = value.byteLength
    } else bytes = this.#out.write(String(value), start)
    this.#word(0xdb, bytes)
    this.#at += bytes
  }

  written(): Buffer {
    return this.#out.subarray(0, this.#at)
  }

  #word(tag: number, value: number): void {
    this.#out[this.#at] = tag
    this.#out.writeUInt32BE(value, this.#at + 1)
    this.#at += 5
  }
}

/** `<guard> <number of arguments>;...` */
export function guardCalls(calls: readonly { guard: number; args: readonly Arg[] }[] | undefined, args: Arg[]): string {
  if (calls === undefined || calls.length === 0) return ''
  let descriptor = ''
  for (const call of calls) {
    descriptor += `${call.guard} ${call.args.length};`
    for (const arg of call.args) args.push(arg)
  }
  return descriptor
}

export function guardKeys(keys: GuardKeys | undefined): string {
  return keys === undefined || keys.length === 0 ? '' : JSON.stringify(keys)
}

export const guardErrors = (raw: unknown): GuardError[] =>
  pairs(raw, (guard, error) => ({ guard: text(guard), error: text(error) }))

/** `<priority>,<bytes of the key>,<key>` and what follows; `&` behind the priority: the keys of all messages of the batch. */
function readTraits(raw: Buffer, start: number): { names: string[]; rest: string } {
  const first = raw.indexOf(0x2c, start)
  const second = raw.indexOf(0x2c, first + 1)
  if (first < 0 || second < 0) throw new UnexpectedReply('expected the traits of a range')
  const stop = second + 1 + Number(raw.toString('latin1', first + 1, second))
  const isList = raw.subarray(start, first).includes(0x26)
  const text_ = raw.toString('utf8', second + 1, stop)
  return { names: text_ === '' ? [] : isList ? text_.split('\n') : [text_], rest: raw.toString('utf8', stop) }
}

/** `<from>,<count>,<total>,<batch>`, after a `~` if it may have been run before and its traits if it has any; see docs/wire-format.md. */
export function range(raw: unknown): Omit<FetchedRange, 'lease' | 'value' | 'failure' | 'skip'> {
  const whole = text(raw)
  const again = whole.startsWith('~')
  const lead = again ? 1 : 0
  const traits = whole[lead] === '!' ? readTraits(bytes(raw), lead + 1) : undefined
  const value = traits === undefined ? whole.slice(lead) : traits.rest
  const first = value.indexOf(',')
  const second = value.indexOf(',', first + 1)
  const third = value.indexOf(',', second + 1)
  if (first < 0 || second < 0 || third < 0) throw new UnexpectedReply(`expected a range, got ${value}`)
  const from = Number(value.slice(0, first))
  const count = Number(value.slice(first + 1, second))
  const names = traits?.names ?? []
  return {
    from,
    count,
    total: Number(value.slice(second + 1, third)),
    batch: value.slice(third + 1),
    again,
    ...(names.length > 1
      ? { keys: names.slice(from, from + count) }
      : names.length === 1
        ? { key: names[0] as string }
        : {}),
  }
}

/**
 * `ranges`: `[range, value, ...]`; `leases`: their numbers, or the first of rising ones; `failures` and `skips`: `[position, text, ...]`.
 */
export function fetchedRanges(
  ranges: unknown,
  leases: number | readonly unknown[],
  failures: unknown,
  skips: unknown,
): FetchedRange[] {
  const result: FetchedRange[] = []
  const flat = list(ranges)
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const value = flat[i + 1]
    result.push({
      lease: typeof leases === 'number' ? leases + i / 2 : integer(leases[i / 2]),
      ...range(flat[i]),
      value: value === null || value === undefined ? null : bytes(value),
    })
  }
  for (const [position, failure] of pairs(failures, (a, b) => [integer(a), text(b)] as const)) {
    const [attempts, crashes] = failure.split(' ')
    const fetched = result[position]
    if (fetched) fetched.failure = { attempts: Number(attempts), crashes: Number(crashes) }
  }
  for (const [position, skip] of pairs(skips, (a, b) => [integer(a), text(b)] as const)) {
    const fetched = result[position]
    if (fetched) fetched.skip = skip.split(',').map(Number)
  }
  return result
}

/** `<attempts> <crashes> <reason or -> <error JSON>` */
export function failureRecord(record: string): { attempts: number; crashes: number; reason: string; error: string } {
  const [attempts = '0', crashes = '0', reason = '-', ...error] = record.split(' ')
  return {
    attempts: Number(attempts),
    crashes: Number(crashes),
    reason: decodeURIComponent(reason),
    error: error.join(' '),
  }
}
