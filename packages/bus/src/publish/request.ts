/** Units of several callers packed into one script call. */
import {
  type BatchToPublish,
  batchId,
  type PublishGuardCall,
  type PublishOutcome,
  type PublishReply,
} from '@busway/lua'
import type { Receipt, ReportRequester, ReportTopic } from '../api/index.js'
import type { BuswayError } from '../errors/busway-error.js'
import type { RedisFailure } from '../seams.js'
import {
  BATCH_BYTES,
  BATCH_MESSAGES,
  encodeBatch,
  encodeProperties,
  KEY_SEPARATOR,
  type ReportTo,
} from '../wire/index.js'
import type { PreparedMessage } from './message.js'
import { isForLackOfRoom, rejected } from './rejection.js'
import type { Unit } from './unit.js'

/** A request ends with the unit that reaches one of these; a unit is never split. */
const REQUEST_BATCHES = 16
/** Batches of a key each, which cost less than others. */
const REQUEST_KEYS = 64
export const REQUEST_MESSAGES = 4 * BATCH_MESSAGES
const REQUEST_BYTES = 256 * 1024

/** What a topic's requests have in common. */
export interface Packing {
  readonly topic: string
  readonly source: string
  /** `encodeProperties` of the source alone. */
  readonly plainProperties: Buffer
  /** Redis' time of a moment of the monotonic clock. */
  readonly timeOf: (at: number) => number
}

/** Units that stay with their producer, since there is no room for them. */
export interface Kept {
  readonly units: readonly Unit[]
  readonly reason: string
}

export class PublishRequest {
  readonly units: readonly Unit[]
  readonly batches: readonly BatchToPublish[]
  /** Left out if each has one message. */
  readonly unitSizes: readonly number[] | undefined
  readonly guardCalls: readonly PublishGuardCall[] | undefined
  /** The earliest moment at which one of its callers gives up. */
  readonly handedOverAt: number
  number = 0
  /** Sent, and neither answered nor lost. */
  isUnderWay = false
  /** A try was sent and never answered: whatever later tries answer, it may have happened. Only the server's own word settles it. */
  mayHaveHappened = false
  /** Of the last try, whichever there is. */
  reply: PublishReply | undefined
  failure: RedisFailure | undefined
  /** What it says of units for which there is no room, in every try. */
  keeps: { readonly bus?: string } | undefined
  /** Its callers have been told; it is only kept for its number. */
  isAbandoned = false
  /** How many messages stand before each batch. */
  readonly #firsts: readonly number[]

  constructor(units: readonly Unit[], packed: Packed) {
    this.units = units
    this.batches = packed.batches
    this.#firsts = packed.firsts
    this.unitSizes = units.some(({ messages }) => messages.length > 1)
      ? units.map(({ messages }) => messages.length)
      : undefined
    this.guardCalls = packed.guardCalls.length > 0 ? packed.guardCalls : undefined
    this.handedOverAt = (units[0] as Unit).handedOverAt
  }

  get messages(): number {
    let count = 0
    for (const unit of this.units) count += unit.messages.length
    return count
  }

  /** Tells the callers. With `keeps` those for whose units there is no room are not told: they are answered, in their order, with the reason. `unconfirmed`: what is accepted cannot count as kept. */
  accept(
    topic: string,
    session: string,
    outcomes: readonly PublishOutcome[],
    keeps: boolean,
    unconfirmed?: BuswayError,
  ): Kept {
    const ids = this.batches.map((batch, n) => (batch.id === undefined ? `${batchId(session, this.number, n)}.` : ''))
    const exceptions =
      outcomes.length === 0 ? undefined : new Map(outcomes.map((outcome) => [outcome.message, outcome]))
    const kept: Unit[] = []
    let reason = ''
    for (const unit of this.units) {
      const receipts: Receipt[] = []
      let rejection: Extract<PublishOutcome, { verdict: 'reject' }> | undefined
      for (const message of unit.messages) {
        const id = message.special?.id ?? (ids[message.batch] as string) + message.index
        const exception = exceptions?.get((this.#firsts[message.batch] as number) + message.index)
        if (exception === undefined) receipts.push({ id, topic, status: 'accepted' })
        else if (exception.verdict === 'duplicate')
          receipts.push({ id, topic, status: 'duplicate', duplicateOf: exception.id })
        else rejection = exception
      }
      if (rejection === undefined && unconfirmed !== undefined) unit.refuse(unconfirmed)
      else if (rejection === undefined) unit.accept(receipts)
      else if (keeps && isForLackOfRoom(rejection)) {
        kept.push(unit)
        reason = rejection.reason
      } else unit.refuse(rejected(topic, rejection))
    }
    return { units: kept, reason }
  }

  refuse(error: unknown): void {
    for (const unit of this.units) unit.refuse(error)
  }
}

interface Packed {
  readonly batches: BatchToPublish[]
  readonly firsts: number[]
  readonly guardCalls: PublishGuardCall[]
}

/** Takes units from the head of `queue` until the request is full or has more than `most` messages, and encodes them. `undefined` if all that waited was taken back. */
export function packRequest(
  queue: { shift(): Unit | undefined; peek(): Unit | undefined },
  packing: Packing,
  most = Number.POSITIVE_INFINITY,
): PublishRequest | undefined {
  const units: Unit[] = []
  const packer = new Packer(packing)
  let bytes = 0
  let messages = 0
  for (let unit = queue.peek(); unit !== undefined; unit = queue.peek()) {
    if (unit.isSettled) {
      queue.shift()
      continue
    }
    const isFull = packer.isFull || messages >= REQUEST_MESSAGES
    if (units.length > 0 && (isFull || bytes + unit.bytes > REQUEST_BYTES || messages > most)) break
    queue.shift()
    unit.isTaken = true
    units.push(unit)
    bytes += unit.bytes
    messages += unit.messages.length
    packer.add(unit)
  }
  return units.length === 0 ? undefined : new PublishRequest(units, packer.finish())
}

/** A longer key is not listed among others: they must fit into a batch's properties. */
const LISTED_KEY_LENGTH = 100

const isListable = (key: string | undefined): key is string =>
  key !== undefined && key.length <= LISTED_KEY_LENGTH && !key.includes(KEY_SEPARATOR)

/**
 * Cuts the messages of units into batches: those share one that have no key, the same, or each another.
 *
 * They stay in their order but for messages with keys of which nothing else is asked: of them only those of one key do, so that many of few keys are few
 * batches. A unit stays in one piece.
 */
class Packer implements Packed {
  readonly batches: BatchToPublish[] = []
  readonly firsts: number[] = []
  readonly guardCalls: PublishGuardCall[] = []
  readonly #packing: Packing
  #open: PreparedMessage[] = []
  #openBytes = 0
  #openKey: string | undefined
  /** Of a batch whose messages have keys of their own. */
  #openKeys: Set<string> | undefined
  #openSince = 0
  /** Key -> messages that go into batches when no more come, with when they were handed over. */
  readonly #byKey = new Map<string, Keyed[]>()
  #severalOfKey = 0
  #added = 0
  #closed = 0

  constructor(packing: Packing) {
    this.#packing = packing
  }

  /** It has as many batches as a request may. */
  get isFull(): boolean {
    return this.batches.length >= REQUEST_BATCHES || this.#severalOfKey >= REQUEST_KEYS
  }

  add(unit: Unit): void {
    const isOfSeveral = unit.messages.length > 1
    if (isOfSeveral) this.#closeSorted()
    if (isOfSeveral && unit.messages.some(isKeyed)) this.#close()
    for (const message of unit.messages) {
      if (isKeyed(message)) this.#sort(message, unit.handedOverAt)
      else if (isAlone(message) || message.guardArgs !== undefined) {
        this.#closeSorted()
        if (message.guardArgs !== undefined) this.#callGuards(message)
        if (isAlone(message)) this.#closeWith(message, unit.handedOverAt)
        else this.#append(message, unit.handedOverAt)
      } else this.#append(message, unit.handedOverAt)
      this.#added++
    }
    if (isOfSeveral && this.#byKey.size > 0) this.#closeAll()
  }

  finish(): Packed {
    this.#closeAll()
    return this
  }

  #sort(message: PreparedMessage, at: number): void {
    const key = message.special?.key as string
    const others = this.#byKey.get(key)
    if (others === undefined) this.#byKey.set(key, [{ message, at }])
    else if (others.push({ message, at }) === 2) this.#severalOfKey++
  }

  /** Messages with keys go before what comes next, for that may be of one of their keys. */
  #closeSorted(): void {
    if (this.#byKey.size === 0) return
    this.#close()
    const lone: Keyed[] = []
    for (const ofKey of this.#byKey.values()) {
      if (ofKey.length === 1) lone.push(ofKey[0] as Keyed)
      else for (const { message, at } of ofKey) this.#append(message, at)
    }
    for (const { message, at } of lone) this.#append(message, at)
    this.#close()
    this.#byKey.clear()
    this.#severalOfKey = 0
  }

  #closeAll(): void {
    this.#closeSorted()
    this.#close()
  }

  #append(message: PreparedMessage, at: number): void {
    const key = message.special?.key
    const full = this.#open.length >= BATCH_MESSAGES || this.#openBytes + message.bodyBytes > BATCH_BYTES
    if (this.#open.length > 0 && (full || !this.#takesKey(key))) this.#close()
    if (this.#open.length === 0) {
      this.#openKey = key
      this.#openSince = at
    }
    message.batch = this.batches.length
    message.index = this.#open.length
    this.#open.push(message)
    this.#openBytes += message.bodyBytes
  }

  /** Whether a message with this key can join those of the open batch. */
  #takesKey(key: string | undefined): boolean {
    if (this.#openKeys !== undefined) {
      if (!isListable(key) || this.#openKeys.has(key)) return false
      this.#openKeys.add(key)
      return true
    }
    if (key === this.#openKey) return true
    if (this.#open.length > 1 || !isListable(key) || !isListable(this.#openKey)) return false
    this.#openKeys = new Set([this.#openKey, key])
    return true
  }

  #close(): void {
    if (this.#open.length === 0) return
    const { source, plainProperties, timeOf } = this.#packing
    let properties = plainProperties
    if (this.#openKeys !== undefined) properties = encodeProperties({ source, keys: [...this.#openKeys] })
    else if (this.#openKey !== undefined) properties = encodeProperties({ source, key: this.#openKey })
    const batch: BatchToPublish = { value: encodeBatch(timeOf(this.#openSince), properties, this.#open) }
    if (this.#open.some(expires)) batch.expiresRelative = true
    this.#push(batch, this.#open.length)
    this.#open = []
    this.#openBytes = 0
    this.#openKeys = undefined
  }

  #closeWith(message: PreparedMessage, at: number): void {
    this.#close()
    message.batch = this.batches.length
    message.index = 0
    this.#push(batchOfOne(message, this.#packing, at), 1)
  }

  #push(batch: BatchToPublish, messages: number): void {
    this.firsts.push(this.#closed)
    this.batches.push(batch)
    this.#closed += messages
  }

  /** All that was added before stands before it. */
  #callGuards(message: PreparedMessage): void {
    message.guardArgs?.forEach((args, guard) => {
      if (args !== undefined) this.guardCalls.push({ message: this.#added, guard, args })
    })
  }
}

interface Keyed {
  readonly message: PreparedMessage
  readonly at: number
}

/** Has a key, and nothing else that sets it apart. */
const isKeyed = (message: PreparedMessage): boolean =>
  message.special?.key !== undefined && message.guardArgs === undefined && !isAlone(message)

const expires = ({ expiresAtMs }: PreparedMessage): boolean => expiresAtMs !== undefined

function isAlone({ special, followers }: PreparedMessage): boolean {
  if (followers !== undefined) return true
  return (
    special !== undefined &&
    (special.id !== undefined ||
      special.delayMs !== undefined ||
      special.dueAtMs !== undefined ||
      special.front ||
      special.keepResultMs !== undefined ||
      special.priority !== 0)
  )
}

/** A message that asks for something of its own. */
export function batchOfOne(message: PreparedMessage, packing: Packing, at: number): BatchToPublish {
  const { special, followers } = message
  const properties =
    special?.id === undefined &&
    special?.key === undefined &&
    !special?.priority &&
    special?.keepResultMs === undefined &&
    followers === undefined
      ? packing.plainProperties
      : encodeProperties({
          source: packing.source,
          ...(special?.key === undefined ? {} : { key: special.key }),
          ...(special?.priority ? { priority: special.priority } : {}),
          ...(special?.id === undefined ? {} : { id: special.id }),
          ...(followers?.owns === undefined ? {} : { owns: followers.owns }),
          ...(followers?.reportTo === undefined ? {} : { reportTo: reportToOf(followers.reportTo, packing, at) }),
          ...(special?.keepResultMs === undefined ? {} : { keepResultMs: special.keepResultMs }),
        })
  const batch: BatchToPublish = { value: encodeBatch(packing.timeOf(at), properties, [message]) }
  if (special?.id !== undefined) batch.id = special.id
  if (special?.delayMs !== undefined) batch.delayMs = special.delayMs
  if (special?.dueAtMs !== undefined) batch.dueAtMs = special.dueAtMs
  if (special?.front) batch.front = true
  if (expires(message)) batch.expiresRelative = true
  return batch
}

/** A requester's patience begins when the message was handed over. */
function reportToOf(to: ReportTopic | ReportRequester, packing: Packing, at: number): ReportTo {
  if (!('requester' in to)) return to
  const { requester, request, timeoutMs } = to
  return { requester, request, untilMs: Math.ceil(packing.timeOf(at) + timeoutMs) }
}
