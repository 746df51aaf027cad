/** What happens: `Events` in this process, for plugins (`observe`); `TopicEvent` to a topic's messages in all processes, for whoever watches (`bus.events`). */

import type { Delivery, Outcome } from './delivery.js'
import type { DeadReason } from './listing.js'
import type { PublishBatch, Report } from './outgoing.js'
import type { Receipt } from './receipt.js'

/** What can be observed. Moments are milliseconds since the epoch by this process' clock. */
export interface Events {
  /**
   * A publish was answered; `error` if it was refused or its fate is unknown, then without receipts. With `via: 'settle'` it is staged, to go out with the
   * settle of the handler's message.
   */
  published: {
    readonly topic: string
    /** Messages of the call. */
    readonly count: number
    readonly receipts: readonly Receipt[]
    readonly via: PublishBatch['via']
    readonly startMs: number
    readonly endMs: number
    readonly error?: Error
  }
  /** A subscription has begun to consume a topic; that of a pattern says so for each of its topics. */
  subscribed: { readonly topic: string; readonly group: string }
  /** Messages arrived. */
  fetched: {
    readonly topic: string
    readonly group: string
    readonly count: number
    readonly startMs: number
    readonly endMs: number
  }
  /** Redis confirmed what became of a delivery, or refused it since the lease was lost. */
  settled: {
    readonly delivery: Delivery
    readonly outcome: Outcome
    /** How long the handler ran. */
    readonly runMs: number
    /** From the message's time to its settle. */
    readonly sinceMs: number
    readonly settleStartMs: number
    readonly settleEndMs: number
    readonly refused?: 'LEASE_LOST'
    /** With `refused`: the settle was sent and never answered, so it may have been applied before the lease was lost. */
    readonly unanswered?: true
  }
  /** Messages of a consumer that went silent were released to others. */
  recovered: {
    readonly topic: string
    readonly group: string
    readonly ranges: number
    /** Messages that it was running, or may have been. */
    readonly crashed: number
    /** Those of them that had crashed too often: they are dead letters. */
    readonly dead: number
  }
  /** Dead letters were made ready again. */
  redriven: { readonly topic: string; readonly group: string; readonly count: number }
  /** Redis was reached, or lost. */
  connection: { readonly state: 'up' | 'down'; readonly error?: Error }
}

/** What a handler threw, in whatever process: what could be written down of it. */
export interface ToldError {
  readonly name: string
  readonly message: string
  /** The error's own `code`, if it had one. */
  readonly code?: string
  readonly stack?: string
}

/** What every event of a message says. */
export interface OfMessage {
  readonly topic: string
  /** The consumer group to which it happened. */
  readonly group: string
  /** The message's id. */
  readonly id: string
  /** When, by Redis' clock. */
  readonly time: Date
}

/** A group has ended a message for good. `result`: what its handler returned, as JSON carries it, at most 256 KiB; `error`: why that can't be told. */
export interface MessageSettled extends Omit<OfMessage, 'group'> {
  readonly type: 'settled'
  /** Absent where no group had it yet: a waiting message that was replaced or purged. */
  readonly group?: string
  /** `done`: handled. All others: it will not be handled any more, by whose doing. */
  readonly outcome: Exclude<Report['outcome'], 'dead' | 'expired'>
  /** Which attempt of the group this was, from 1, if it is `done`. */
  readonly attempt?: number
  readonly result?: unknown
  readonly error?: ToldError
}

/** A run failed, or its process went silent, and the message is tried again. */
export interface MessageRetried extends OfMessage {
  readonly type: 'retried'
  /** The one that failed, from 1. */
  readonly attempt: number
  readonly error: ToldError
  /** Not before then. */
  readonly dueAt: Date
}

/** A message became a dead letter. */
export interface MessageDead extends OfMessage {
  readonly type: 'dead'
  readonly reason: DeadReason
  /** The last one, from 1; absent if it expired. */
  readonly attempt?: number
  readonly error: ToldError
}

/** A dead letter is ready again. */
export interface MessageRedriven extends OfMessage {
  readonly type: 'redriven'
}

/** A handler said how far it is: `ctx.progress(value)`. */
export interface MessageProgress extends OfMessage {
  readonly type: 'progress'
  readonly attempt: number
  readonly value: unknown
}

/** Events are missing here: this reader was slower than they came, or its connection was gone for a while. */
export interface EventsMissed {
  readonly type: 'missed'
  readonly topic: string
  /** When that was noticed, by this process' clock. */
  readonly time: Date
  /** How many; absent if that cannot be known. */
  readonly count?: number
}

/** What `bus.events` gives, told apart by `type`. */
export type TopicEvent =
  | MessageSettled
  | MessageRetried
  | MessageDead
  | MessageRedriven
  | MessageProgress
  | EventsMissed

/** Options of `bus.events`. */
export interface EventsOptions {
  /** How many events are kept for a reader that is slower than they come; then the oldest go, and it is told how many. Default: 1,000. */
  buffer?: number
}

/**
 * The events of a topic, from `ready` on. Leaving the loop closes it; one that is never read has to be closed, or it keeps the program running.
 *
 * @example
 * await using events = bus.events('orders.paid')
 * await events.ready
 */
export interface TopicEvents extends AsyncIterable<TopicEvent>, AsyncDisposable {
  /**
   * Resolves when nothing is missed any more; waits for a Redis that cannot be reached. Rejects when Redis answers and cannot be used, or the events are
   * closed before; not handling that crashes nothing. After a rejection it goes on trying until closed.
   */
  readonly ready: Promise<void>
  /** The next event; `done` when it is closed. */
  next(): Promise<IteratorResult<TopicEvent, undefined>>
  /** Ends it, with what is kept unread. Called when a `for await` loop is left. */
  return(): Promise<IteratorResult<TopicEvent, undefined>>
  /** Ends it, with what is kept unread; resolves when nobody pays for it any more. May be called repeatedly. Never rejects. */
  close(): Promise<void>
  [Symbol.asyncIterator](): this
}
