/** What administration asks to see, messages page by page, and who consumes; and what it ends of a topic as a whole. */

/** Where messages are that no group has yet, and where a group's can be. Dead letters have a script of their own. */
export type PeekState = 'scheduled' | 'unclaimed' | 'ready' | 'held' | 'inFlight' | 'retrying'

/**
 * The kind of a place, and the place as that kind has it (lua/lib/page-*): text of single bytes (latin1), so that it comes back byte for byte. What it
 * holds was given by a reply; whoever lets it out of hand checks it when it comes back.
 */
export type PeekPlace = readonly [kind: string, ...place: string[]]

export interface PeekRequest {
  /** Left out for `scheduled` and `unclaimed`. */
  group?: string
  state: PeekState
  limit: number
  /** Of envelopes: what is larger ends the page, but for its first. */
  bytes: number
  from?: PeekPlace
}
/** Messages of one batch that are in one place. */
export interface PeekedRange {
  batch: string
  /** Position of the first message in its batch. */
  from: number
  count: number
  /** A slice in the wire format with `count` messages; undefined if Redis has lost it. */
  value: Buffer | undefined
  /** Positions (0 .. count - 1) that are finished: not to be shown. */
  done: readonly number[]
  attempts: number
  crashes: number
  /** JSON; of what is retrying. */
  error?: string
  /** Due, or leased. */
  atMs?: number
  /** Who holds it. */
  session?: string
}
export interface PeekReply {
  nowMs: number
  ranges: readonly PeekedRange[]
  /** What the sessions named say of themselves: JSON. */
  infos: ReadonlyMap<string, string>
  /** There may be more; then a page may also be empty. */
  from?: PeekPlace
}

export interface ConsumersRequest {
  group: string
  limit: number
  /** The session after which to go on. */
  after?: string
}
export interface ConsumerItem {
  session: string
  /** What it said of itself when it opened: JSON. */
  info: string
  leaseEndsAtMs: number
  closing: boolean
  /** Messages. */
  inFlight: number
  /** Ids of some that probably run: the first in lease order. */
  running: readonly string[]
}
export interface ConsumersReply {
  nowMs: number
  items: readonly ConsumerItem[]
  /** There may be more; then a page may also be empty. */
  after?: string
}

/** Ends what no group has yet. The first call says what, the others go on. */
export interface PurgeTopicRequest {
  what?: 'scheduled' | 'unclaimed'
  limit: number
  /** Fresh producer id for reports. */
  producer: string
}
/** The first call says how, the others go on. */
export interface DeleteTopicRequest {
  /** `unused`: only if nobody uses it. */
  how?: 'unused' | 'force'
  limit: number
  /** Fresh producer id for reports. */
  producer: string
}
export type DeleteTopicReply =
  | { status: 'in use'; consumers: number; messages: number; outbox: number }
  | {
      status: 'ok'
      ended: number
      /** Messages are left. */
      more: boolean
      /** Entries to be relayed before the last step. */
      outbox: number
      /** A topic of that name is there: not deleted, or begun anew meanwhile. */
      isThere: boolean
    }
