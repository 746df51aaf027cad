import type { Durability } from './durability.js'
import type { Duration } from './duration.js'
import type { HandleMiddleware } from './middleware.js'
import type { Adds } from './plugin-types.js'

/** The kernel's options of `publish`. An option that does not exist is refused with `INVALID_OPTIONS`, which names the nearest that does. */
export interface PublishOptionsCore {
  /** The publisher's own id, 1 to 200 characters: a message with an id that still exists is a `duplicate`. Default: the message's address. */
  id?: string
  /** CloudEvents `type`. Default: the topic's name. */
  type?: string
  /** The ordering key: a group handles messages of one key one at a time, in the order of their publishes, over all its consumers. Default: none. */
  key?: string
  /** Text that travels beside the body. Default: none. */
  headers?: Record<string, string>
  /** Any integer: a higher one is handled before a lower one, equal ones in the order of their publishes. Default: 0. */
  priority?: number
  /** `front`: ahead of what waits at the same priority (last in, first out); with a delay, when it is due. Default: `back`. */
  position?: 'back' | 'front'
  /** Deliver it no earlier than this long from now, by Redis' clock. Not with `deliverAt`. Default: at once. */
  delay?: Duration
  /** Deliver it no earlier than then, by Redis' clock. Not with `delay`. Default: at once. */
  deliverAt?: Date
  /**
   * Not handled later than this long from now, by Redis' clock: a message that has not started by then is a dead letter with the reason `expired`.
   * Default: never.
   */
  expiresIn?: Duration
  /**
   * Keeps how each group ends it (the outcome, and what its handler returned or threw) for this long, so that `bus.topic(name).settled(id)` tells it also to
   * those who ask later. It takes Redis memory meanwhile; a message that is watched when it ends needs none. Default: it is not kept.
   */
  keepResult?: Duration
  /**
   * What must have it before this resolves; without the confirmation it rejects with `PUBLISH_UNKNOWN`. Entries of one batch have the same; not of
   * `ctx.publish`. Publishes of different durability keep no order among each other. Default: that of the bus.
   */
  durability?: Durability
  /** Gives up waiting for the answer: rejects with `PUBLISH_UNKNOWN` if the message may be in Redis already. */
  signal?: AbortSignal
}

/** The options of `publish`: the kernel's and what the plugins `P` add. */
export type PublishOptions<T extends object = Record<string, unknown>, P extends string = never> = PublishOptionsCore &
  Adds<T, P, 'publish'>

/** One message of `publishBatch`. */
export type PublishEntry<Body, T extends object = Record<string, unknown>, P extends string = never> = {
  body: Body
} & Omit<PublishOptions<T, P>, 'signal'>

/** How a group tries again what failed. */
export interface RetryPolicy {
  /** Attempts in all, from 1. The one that fails last makes a dead letter. Default: 20, about an hour with the other defaults. */
  attempts?: number
  /** How the delay grows: doubling, always the same, or by a function of the attempt that failed (from 1) and its error. Default: `exponential`. */
  backoff?: 'exponential' | 'fixed' | ((attempt: number, error: Error) => Duration)
  /** The first delay. Default: `1s`. */
  delay?: Duration
  /** No delay is longer than this. Default: `5m`. */
  maxDelay?: Duration
  /** The part of a delay that is left to chance, 0 to 1, so that what failed together does not return together. Default: 0.5. */
  jitter?: number
}

/** The kernel's options of `consume`. */
export interface ConsumeOptionsCore {
  /** The consumer group: every group gets every message, its consumers share them. Default: the service's name. */
  group?: string
  /** Handlers that run at once in this subscription. Default: 10. */
  concurrency?: number
  /**
   * Messages that the whole group may have in flight, over all its consumers, 1 to 1,000,000; held to exactly, also when one crashes. Nothing is fetched
   * ahead then. A consumer that comes with another number than the last sets it; left out, it stays as it is. Changed live by
   * `bus.topic(name).group(name).setConcurrency(n)`. `CONFIG_INVALID` on a topic with partitions. Default: no limit.
   */
  groupConcurrency?: number
  /** How much work, by the measured handler time, may be fetched ahead. Default: `50ms`. */
  lookahead?: Duration
  /** How long after its last sign of life this consumer's messages go to others. Default: `30s`. */
  lease?: Duration
  /** How long one run may take before `ctx.signal` aborts; it is settled as failed when it returns. Default: no limit. */
  timeout?: Duration
  /** How failures are tried again; `false`: the first failure makes a dead letter. Default: `RetryPolicy`'s defaults. */
  retry?: RetryPolicy | false
  /** Crashes of its process after which a message is a dead letter. Default: 3. */
  maxCrashes?: number
  /** How long and how many dead letters are kept, whichever ends first. Default: 14 days, 100,000. */
  deadLetters?: { keep?: Duration; max?: number }
  /**
   * Where the group begins if this consumer makes it; one that exists goes on where it is. `now`: with what is published from now on, and what no group has
   * taken yet. `beginning`: with all that the topic retains before that, in order; without `retain` of the topic, `ready` rejects with `CONFIG_INVALID`.
   * Of one topic, not of a pattern. Default: `now`.
   *
   * @example
   * bus.consume('orders.created', audit, { group: 'audit', from: 'beginning' })
   */
  from?: 'now' | 'beginning'
  /** Middlewares of this subscription, the first outermost, inside those of the plugins. Default: none. */
  use?: readonly HandleMiddleware[]
}

/** The options of `consume`: the kernel's and what the plugins `P` add. */
export type ConsumeOptions<T extends object = Record<string, unknown>, P extends string = never> = ConsumeOptionsCore &
  Adds<T, P, 'consume'>
