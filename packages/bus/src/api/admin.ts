/** Looking after topics and groups. All of it works from any process, whether or not it consumes. What listings show is in listing.ts. */
import type { Duration } from './duration.js'
import type { ToldError } from './events.js'
import type {
  ConsumerInfo,
  DeadLetter,
  MessageInfo,
  Page,
  PageOptions,
  Peeked,
  PeekOptions,
  PeekState,
  TopicPeeked,
  TopicPeekOptions,
  TopicPeekState,
} from './listing.js'
import type { Report } from './outgoing.js'
import type { ReplyOf } from './topics.js'

/** The messages of one group. */
export interface GroupStats {
  /** Waiting to be taken. */
  readonly ready: number
  /** Leased by consumers. */
  readonly inFlight: number
  /** Waiting for their next attempt. */
  readonly retrying: number
  /** Waiting behind another message of their key. */
  readonly held: number
  /** Dead letters. */
  readonly dead: number
  readonly paused: boolean
  /** Live sessions, over all processes; of a consumer that has one in each partition, one. */
  readonly consumers: number
  /** Age of the message that has waited longest, in milliseconds; 0 if none waits. */
  readonly oldestReadyMs: number
  /** How many messages may be in flight, if the group has a limit. */
  readonly groupConcurrency?: number
  /** Retained messages that a group that began at the beginning has still to be given; absent if there are none. What it was given counts in `ready`. */
  readonly replaying?: number
}

/** The messages of one topic. */
export interface TopicStats {
  /** Published with a delay and not yet due. */
  readonly scheduled: number
  /** Published before any group existed. */
  readonly unclaimed: number
  /** Published by this topic's handlers (`ctx.publish`) to other topics, and on the way there. */
  readonly outbox: number
  /** Kept for groups that come later, whether or not a group has still to end them; absent if none are. */
  readonly retained?: number
  readonly groups: Readonly<Record<string, GroupStats>>
}

/** What `purge` removes. */
export interface PurgeOptions {
  /** `waiting`: ready, held and retrying messages; `dead`: dead letters. What is in flight stays. Default: `waiting`. */
  state?: 'waiting' | 'dead'
}

/** What `purge` removes of what no group has yet. */
export interface TopicPurgeOptions {
  /** `scheduled`: published with a delay and not yet due; `unclaimed`: published before there was any group. */
  state: TopicPeekState
}

/** What `cancel` does about a message that runs. */
export interface CancelOptions {
  /** Also stop it where a consumer has it: abort `ctx.signal` of its run, in whatever process. Default: false, what a consumer has goes on. */
  inFlight?: boolean
}

/** What `update` changes of a message with a body of type `Body`. What is left out stays as it is. */
export interface MessageChanges<Body = unknown> {
  /** Higher goes first. Not of a message with an ordering key, which keeps its turn. */
  priority?: number
  /** When it may be taken, from now; `0`: at once. */
  delay?: Duration
  body?: Body
}

/** What `delete` puts up with. */
export interface DeleteOptions {
  /** Delete it though it has consumers, messages or an outbox under way. Default: false. */
  force?: boolean
}

/** One consumer group of a topic with bodies of type `Body`. */
export interface GroupAdmin<Body = unknown> {
  /** Stops handing out messages, everywhere, until `resume`. What runs goes on. */
  pause(): Promise<void>
  resume(): Promise<void>
  /**
   * How many messages of the group may be in flight from now on, over all processes; `null`: no limit. What is in flight beyond it goes on. It stays, also
   * when consumers come again, until one comes with another `groupConcurrency` than the last that came.
   *
   * @example
   * await bus.topic('orders.paid').group('ledger').setConcurrency(3)
   */
  setConcurrency(limit: number | null): Promise<void>
  stats(): Promise<GroupStats>
  /**
   * A page of the group's messages in one state, by default of those that are ready: in the order in which they would be taken; those held by a key line by
   * line, those in flight by consumer, those that are retrying as they are due, dead letters oldest first. Nothing is changed.
   *
   * A message that stays in its state throughout is listed once, whatever is taken, added or removed beside it, unless between two pages more than
   * 5,000 stored ranges are put before it, or most of the keys that held messages stop to: then it may be listed again.
   * Rejects with `INVALID_OPTIONS` (a cursor of another state, for example) and `UNKNOWN_GROUP`.
   *
   * @example
   * const { items, cursor } = await bus.topic('orders.paid').group('ledger').peek({ state: 'retrying', limit: 20 })
   * for (const { id, dueAt, error } of items) console.log(id, dueAt, error.message)
   */
  peek<State extends PeekState = 'ready'>(options?: PeekOptions<State>): Promise<Page<Peeked<Body, State>>>
  /** The dead letters, oldest first: `peek({ state: 'dead' })`. */
  deadLetters(options?: PageOptions): Promise<Page<DeadLetter<Body>>>
  /**
   * A page of the group's live consumers, over all processes.
   * Rejects with `INVALID_OPTIONS` and `UNKNOWN_GROUP`.
   *
   * @example
   * const { items } = await bus.topic('orders.paid').group('ledger').consumers()
   * for (const { host, pid, running } of items) console.log(host, pid, running)
   */
  consumers(options?: PageOptions): Promise<Page<ConsumerInfo>>
  /**
   * Makes dead letters ready again, ahead of what waits, with all their attempts to come. Resolves with how many.
   *
   * @example
   * await bus.topic('orders.paid').group('ledger').redrive('all')
   */
  redrive(ids: readonly string[] | 'all'): Promise<number>
  /** Ends messages without running them. Resolves with how many. */
  purge(options?: PurgeOptions): Promise<number>
  /** Removes the group with all its messages; its consumers lose their leases. */
  remove(): Promise<void>
}

/** How a group ended a message. */
export interface Settled<Result = unknown> {
  readonly id: string
  /** Absent where no group had it yet: a waiting message that was replaced or purged. */
  readonly group?: string
  /** `dead` and `expired`: it is a dead letter. */
  readonly outcome: Report['outcome']
  /** What the handler returned, as JSON carries it, or as the topic's `reply` schema makes it; absent for nothing. */
  readonly result?: Result
  /** What it threw in the end, or why its result can't be told. */
  readonly error?: ToldError
}

/** Options of `settled`. */
export interface SettledOptions {
  /** Which consumer group's end. Default: the first of any. */
  group?: string
  /** Then it rejects with `SETTLED_TIMEOUT`. Default: `10s`. */
  timeout?: Duration
  /** Ends the waiting, with its reason. */
  signal?: AbortSignal
}

/** One topic with bodies of type `Body`. */
export interface TopicAdmin<Body = unknown> {
  readonly name: string
  stats(): Promise<TopicStats>
  /**
   * The message, with its state in every group; `null` if nothing is left of it. Nothing is changed. Rejects with `INVALID_OPTIONS`.
   *
   * @example
   * const info = await bus.topic('orders.paid').message(id)
   * if (info?.groups.ledger?.state === 'inFlight') console.log('runs since', info.groups.ledger.since)
   */
  message(id: string): Promise<MessageInfo<Body> | null>
  /**
   * Ends a message in every group where it waits (scheduled, ready, held, retrying, or unclaimed), unhandled, with the outcome `cancelled`. Dead letters stay.
   * Resolves with whether there was something to end.
   *
   * A message that runs goes on, or with `inFlight` its consumer is told: the run's `ctx.signal` aborts with `CANCELLED`. If its handler throws then, or hangs
   * for a lease, the message is a dead letter with the reason `cancelled`, and so is one that the consumer had not started; if it returns, the
   * message is done. The news may be lost with a connection or a process; then the message goes on as if nothing had been, so look at `message(id)`, and cancel
   * it again. Rejects with `INVALID_OPTIONS`.
   *
   * @example
   * if (!(await bus.topic('orders.paid').cancel(id, { inFlight: true }))) console.log('too late')
   */
  cancel(id: string, options?: CancelOptions): Promise<boolean>
  /**
   * Changes a message in every group where it waits. Resolves with whether it waited anywhere.
   *
   * One that is ready or held and gets a delay counts as `retrying` until it is due, without a failed attempt, and joins the back then; with another priority it goes behind
   * those that have it. A new body is checked and encoded as that of a publish. What a consumer has goes on as it was; if it is tried again, with the
   * new body. Dead letters stay. Rejects with `INVALID_OPTIONS`, `INVALID_BODY`, `PAYLOAD_TOO_LARGE`, `REDIS_OUT_OF_MEMORY`, `UNDECODABLE`.
   *
   * @example
   * await bus.topic('orders.paid').update(id, { priority: 10, body: { id: '1', amount: 43 } })
   */
  update(id: string, changes: MessageChanges<Body>): Promise<boolean>
  /**
   * Lets a message that waits be taken after `delay` from now: `update(id, { delay })`.
   *
   * @example
   * await bus.topic('orders.paid').reschedule(id, 0) // what was scheduled or is retrying: at once
   */
  reschedule(id: string, delay: Duration): Promise<boolean>
  /**
   * Waits until a message has ended, and tells how, whoever handles it. One that ended before is told if it was published with `keepResult`, or is a dead
   * letter. Rejects with `UNKNOWN_MESSAGE` (it is not there, and its end was not kept), `SETTLED_TIMEOUT`, `REQUEST_FAILED` (its result does not fit the topic's
   * `reply` schema), `INVALID_OPTIONS`, `INVALID_GROUP`, `BUS_CLOSED`.
   *
   * @example
   * const { id } = await bus.publish('orders.paid', order, { keepResult: '1h' })
   * const { outcome, result } = await bus.topic('orders.paid').settled(id, { timeout: '30s' })
   */
  settled(id: string, options?: SettledOptions): Promise<Settled<ReplyOf<Body>>>
  group(name: string): GroupAdmin<Body>
  /**
   * A page of the messages that no group has yet: `scheduled`, as they are due, or `unclaimed`, in the order in which the first group would take them.
   * Nothing is changed; what is promised of the cursor is said at `GroupAdmin.peek`. Rejects with `INVALID_OPTIONS`.
   *
   * @example
   * const { items } = await bus.topic('orders.paid').peek({ state: 'scheduled' })
   * for (const { id, dueAt } of items) console.log(id, dueAt)
   */
  peek<State extends TopicPeekState>(options: TopicPeekOptions<State>): Promise<Page<TopicPeeked<Body, State>>>
  /**
   * Ends messages that no group has yet, without running them: those that are there when it is called. Resolves with how many. Rejects with `INVALID_OPTIONS`.
   *
   * @example
   * await bus.topic('orders.paid').purge({ state: 'scheduled' })
   */
  purge(options: TopicPurgeOptions): Promise<number>
  /**
   * Deletes the topic with its groups, its settings and all that it has. Dead letters go with it. Whoever waits for one of its messages is told that it was
   * removed, and what its handlers published to other topics is passed on first. It may be called again, and goes on where it stopped.
   *
   * A topic that is published to or consumed from afterwards begins anew; so it does by itself where a consumer lives that it was deleted under.
   * Rejects with `TOPIC_IN_USE` while consumers live, messages are not handled (ready, held, in flight, retrying, scheduled, unclaimed) or its outbox is
   * under way, unless `force` is set; with `INVALID_OPTIONS`.
   *
   * @example
   * await bus.topic('orders.imported').delete()
   */
  delete(options?: DeleteOptions): Promise<void>
}
