import type { Body } from './body.js'

/**
 * What scenarios ask of a peer: that it is a queue at all, adds several messages in one call, hands each message to several groups, keeps
 * the order of a key, keeps to a rate, puts a message off, has many subscriptions in one client,
 * and keeps its messages in Redis, where their memory is measured.
 */
export const ABILITIES = ['queue', 'batch', 'groups', 'keys', 'rate', 'delay', 'subscriptions', 'redis'] as const
export type Ability = (typeof ABILITIES)[number]

/** What a message may ask for. A peer that lacks it leaves it out, or takes no part. */
export interface PublishWishes {
  /** Its ordering key. */
  key?: string
  delayMs?: number
}

/** Where a trial's messages go. */
export interface Place {
  redisUrl: string
  /** Queue, topic, stream: whatever the peer calls it. Fresh for every pass. */
  queue: string
  /** Consumer groups that are to have each message; a peer without groups has a queue for each. Default: 1. */
  groups?: number
}

/** One side of the comparison. Each is a file in `peers/`; it does what its documentation recommends, with its defaults. */
export interface Peer {
  readonly name: string
  readonly version: string
  /** Resolves when the producer is connected and its first publish costs no more than the next. */
  openProducer(place: Place): Promise<Producer>
  /** Resolves when the consumer is connected; it takes nothing before `start()`. */
  openConsumer(place: Place, options: ConsumerOptions): Promise<Consumer>
  /** What it is measured on, of peers that have a server of their own: 'NATS 2.9.10'. */
  serverVersion?(): Promise<string>
  /** Removes what is left of this process' queues. Of the same peers: Redis is emptied anyway. */
  clear?(): Promise<void>
  /** Resolves when one client waits for messages of all these queues. Of peers that have the ability. */
  openSubscriptions?(redisUrl: string, queues: readonly string[]): Promise<{ close(): Promise<void> }>
}

export interface Producer {
  /** Resolves when the message is stored. */
  publish(body: Body, wishes?: PublishWishes): Promise<unknown>
  /** Resolves when all are stored, in one call of the peer's API. */
  publishBatch(bodies: Body[]): Promise<unknown>
  /** Instead of many callers of `publish`, of a peer that shows a limit and has no callers: messages 0 to `messages` - 1, so many in flight at most. */
  publishAll?(messages: number, inFlight: number, bodyBytes?: number): Promise<void>
  close(): Promise<void>
}

export interface ConsumerOptions {
  /** Handlers running at the same time. */
  concurrency: number
  /** Messages a second at most. Default: no limit. */
  rate?: number
  /** The message is settled, and gone from Redis, some time after this has resolved. */
  handler(body: Body): Promise<void>
}

export interface Consumer {
  /** Resolves when the consumer takes part. */
  start(): Promise<void>
  /** Whether nothing waits and nothing is unsettled. */
  isDrained(): Promise<boolean>
  close(): Promise<void>
}
