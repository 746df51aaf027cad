/** Looking after topics and groups. All of it works from any process, whether or not it consumes. */

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
  /** Live sessions, over all processes. */
  readonly consumers: number
  /** Age of the message that has waited longest, in milliseconds; 0 if none waits. */
  readonly oldestReadyMs: number
}

/** The messages of one topic. */
export interface TopicStats {
  /** Published with a delay and not yet due. */
  readonly scheduled: number
  /** Published before any group existed. */
  readonly unclaimed: number
  /** Published by this topic's handlers (`ctx.publish`) to other topics, and on the way there. */
  readonly outbox: number
  readonly groups: Readonly<Record<string, GroupStats>>
}

/** A page of a listing. Another follows if there is a `cursor`: hand it to the next call. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly cursor?: string
}

/** Which page. */
export interface PageOptions {
  /** At most this many items, 1 to 1,000. Default: 100. */
  limit?: number
  /** From the page before. Default: the first page. */
  cursor?: string
}

/** Why a message became a dead letter. */
export type DeadReason = 'attempts' | 'unrecoverable' | 'crashes' | 'expired' | 'undecodable' | 'cancelled'

/** A dead letter of a topic with bodies of type `Body`. */
export interface DeadLetter<Body = unknown> {
  readonly id: string
  readonly topic: string
  readonly key?: string
  readonly headers: Readonly<Record<string, string>>
  /** Decoded, by the plugins too; the raw bytes if it can't be. */
  readonly body: Body | Uint8Array
  readonly attempts: number
  readonly crashes: number
  readonly reason: DeadReason
  /** The last error. */
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string }
  readonly diedAt: Date
}

/** What `purge` removes. */
export interface PurgeOptions {
  /** `waiting`: ready and retrying messages; `dead`: dead letters. What is in flight stays. Default: `waiting`. */
  state?: 'waiting' | 'dead'
}

/** One consumer group of a topic with bodies of type `Body`. */
export interface GroupAdmin<Body = unknown> {
  /** Stops handing out messages, everywhere, until `resume`. What runs goes on. */
  pause(): Promise<void>
  resume(): Promise<void>
  stats(): Promise<GroupStats>
  /** The dead letters, oldest first. */
  deadLetters(options?: PageOptions): Promise<Page<DeadLetter<Body>>>
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

/** One topic with bodies of type `Body`. */
export interface TopicAdmin<Body = unknown> {
  readonly name: string
  stats(): Promise<TopicStats>
  group(name: string): GroupAdmin<Body>
}
