/** A range that this consumer holds by a lease: its messages, decoded when the first one starts, and how far each has come. */
import type { FetchedRange, GroupRef } from '@busway/lua'
import { BuswayError } from '../errors/index.js'
import { decodeBatch, type Envelope, mayExpire, messageId } from '../wire/index.js'
import type { Settler } from './settler.js'

/** How far a message of a held range has come. */
export const Progress = {
  /** Unstarted or running. */
  open: 0,
  /** Done without anything to say about it; to be sent as an ack. */
  done: 1,
  /** Its ack is under way. */
  acking: 2,
  /** Has a settle or release of its own, waiting or under way. */
  told: 3,
  /** Redis confirmed what became of it. */
  settled: 4,
} as const

export interface Held {
  /** Whose lease it is: takes what becomes of the messages. */
  readonly settler: Settler
  /** The session's name in Redis. */
  readonly holder: { readonly group: GroupRef; readonly session: string }
  /** By the monotonic clock. */
  readonly receivedMs: number
  /** Redis had handed it over before, and the client did not know. */
  readonly redelivered: boolean
  /** Runs alone: it may be what killed a process. */
  readonly solo: boolean
}

export class HeldRange {
  readonly lease: number
  readonly batch: string
  /** Position of the first message in its batch; positions here count from there. */
  readonly from: number
  readonly count: number
  /** It may have been run before, by another session or for another redrive. */
  readonly again: boolean
  /** The ordering key that all its messages have. */
  readonly key: string | undefined
  /** Of each message, if each has one of its own: no other message that is held has one of these. */
  readonly keys: readonly string[] | undefined
  readonly failure: { readonly attempts: number; readonly crashes: number } | undefined
  readonly held: Held
  readonly progress: Uint8Array
  /** Messages of which Redis has not confirmed what became of them. */
  unconfirmed: number
  /** Messages in `Progress.done`. */
  done = 0
  unstarted: number
  /** Redis has its ids and not its bytes: an eviction, or a hand. There is nothing to keep as a dead letter. */
  readonly isLost: boolean

  /** Its value says that some of its messages expire: told by one bit, so that others pay nothing for it. */
  readonly #mayExpire: boolean
  #next = 0
  #value: Buffer | null | undefined
  #envelope: Envelope | undefined
  #bodies: unknown[] | undefined
  #fault: BuswayError | undefined

  constructor(fetched: FetchedRange, held: Held) {
    this.lease = fetched.lease
    this.batch = fetched.batch
    this.from = fetched.from
    this.count = fetched.count
    this.again = fetched.again
    this.key = fetched.key
    this.keys = fetched.keys
    this.failure = fetched.failure
    this.held = held
    this.#value = fetched.value
    this.isLost = fetched.value === null
    this.#mayExpire = fetched.value !== null && mayExpire(fetched.value)
    this.progress = new Uint8Array(fetched.count)
    this.unconfirmed = fetched.count
    if (fetched.skip !== undefined) {
      for (const position of fetched.skip) {
        if (this.progress[position] !== Progress.open) continue
        this.progress[position] = Progress.settled
        this.unconfirmed--
      }
    }
    this.unstarted = this.unconfirmed
  }

  /** When message `index` expires by Redis' clock; 0 is never. An envelope that cannot be read says so when it is. */
  expiresAtMs(index: number): number {
    if (!this.#mayExpire) return 0
    try {
      return this.envelope().expiresAtMs(index)
    } catch {
      return 0
    }
  }

  /** The next unstarted message, or -1. */
  takeNext(): number {
    while (this.#next < this.count) {
      const index = this.#next++
      if (this.progress[index] === Progress.open) {
        this.unstarted--
        return index
      }
    }
    return -1
  }

  /** Whether message `index` is unstarted; then it is so no more. Whoever asks says what becomes of it. */
  withdraw(index: number): boolean {
    if (!this.isUnstarted(index)) return false
    this.unstarted--
    return true
  }

  /** Gives up all unstarted messages: calls `release` for each run of adjacent ones. */
  takeUnstarted(release: (index: number, count: number) => void): void {
    let first = -1
    for (let index = this.#next; index <= this.count; index++) {
      const open = index < this.count && this.progress[index] === Progress.open
      if (open && first < 0) first = index
      if (!open && first >= 0) {
        release(first, index - first)
        first = -1
      }
    }
    this.#next = this.count
    this.unstarted = 0
  }

  /** The ordering key of message `index`. */
  keyOf(index: number): string | undefined {
    return this.keys === undefined ? this.key : this.keys[index]
  }

  /** Whether message `index` has not started. */
  isUnstarted(index: number): boolean {
    return index >= this.#next && this.progress[index] === Progress.open
  }

  messageId(index: number): string {
    return messageId(this.batch, this.from + index)
  }

  /** The envelope. Throws UNDECODABLE, each time. */
  envelope(): Envelope {
    if (this.#envelope !== undefined) return this.#envelope
    if (this.#fault !== undefined) throw this.#fault
    try {
      this.#envelope = this.#decode()
      return this.#envelope
    } catch (error) {
      this.#fault =
        error instanceof BuswayError
          ? error
          : new BuswayError('UNDECODABLE', 'The envelope cannot be decoded', { cause: error })
      throw this.#fault
    } finally {
      this.#value = undefined
    }
  }

  #decode(): Envelope {
    if (this.#value === null || this.#value === undefined) {
      throw new BuswayError('UNDECODABLE', `Redis has lost the batch ${this.batch}`)
    }
    const envelope = decodeBatch(this.#value)
    if (envelope.count !== this.count) {
      throw new BuswayError(
        'UNDECODABLE',
        `The envelope holds ${envelope.count} messages where ${this.count} were expected`,
      )
    }
    return envelope
  }

  /** The body of a message where one parse serves the whole range; `undefined` if it must be decoded by itself. */
  plainBody(index: number): unknown {
    if (this.#bodies === undefined) {
      const envelope = this.envelope()
      if (!envelope.isParsedTogether) return undefined
      try {
        this.#bodies = envelope.parseAll()
      } catch {
        // One of them is no JSON: each is decoded by itself, so that only that one fails.
        this.#bodies = []
      }
    }
    return this.#bodies[index]
  }
}
