import type { Duration } from './duration.js'
import type { StandardSchemaV1 } from './standard-schema.js'

/** A topic's settings. Each is free for topics that leave it out. */
export interface TopicOptions {
  /** Groups that exist from the topic's first publish on, before any consumer has come. Default: none; the first group to come inherits what waits. */
  groups?: readonly string[]
  /**
   * What is kept of messages that every group has ended, for groups that begin `from: 'beginning'`: a duration with its unit, since each was published or
   * due; or a number of messages, the last so many. Memory stays within it: what is older goes as soon as no group has still to end it. Kept with the topic,
   * like `maxWaiting`; `0`: nothing any more. Left out, it stays as it is. Default: nothing is kept, and nothing paid.
   *
   * @example
   * defineTopics({ 'orders.created': { body: type<Order>(), retain: '7d' }, 'prices.seen': { body: type<Price>(), retain: 10_000 } })
   */
  retain?: Exclude<Duration, number> | number | { count: number }
  /**
   * How many messages may wait, from 1: in the group that has most of them, or for the first group, and those that are delayed; what is in flight does not
   * wait. What publishers do beyond it is the `policy`, `reject` if it is but a number. Kept with the topic: it binds every publisher, also those that do
   * not define it. `Infinity`: no bound, also where there was one. Left out, it stays as it is. Default: no bound.
   *
   * @example
   * defineTopics({ 'orders.paid': { body: type<Paid>(), maxWaiting: { count: 100_000, policy: 'wait' } } })
   */
  maxWaiting?: number | MaxWaiting
  /**
   * Over how many slots of a cluster the topic is spread, 1 to 1,024; fixed when it is made, and said by every bus that publishes to it or consumes it by name.
   * Default: 1. See docs/partitions.md.
   *
   * @example
   * defineTopics({ 'orders.paid': { body: type<Paid>(), partitions: 12 } })
   */
  partitions?: number
}

/** A bound of waiting messages. */
export interface MaxWaiting {
  /** How many messages may wait. */
  count: number
  /**
   * What becomes of a `publish` or `publishBatch` for which there is no room, whole. `reject`: it rejects with `PUBLISH_REJECTED`. `wait`: it waits until
   * consumers have made room, in the order of this bus' publishes, and rejects with `PUBLISH_REJECTED` after `publishTimeout`, or when its `signal` is
   * aborted. Default: `reject`.
   */
  policy?: 'reject' | 'wait'
}

/** A topic with its body's schema, its reply's if it is asked for one, and its settings. */
export interface TopicDef<Body = unknown, Reply = never> extends TopicOptions {
  /** Any Standard Schema, or `type<T>()`, which checks nothing at run time. */
  body: StandardSchemaV1<unknown, Body>
  /** What handlers must return and `request` resolves with. */
  reply?: StandardSchemaV1<unknown, Reply>
}

/** What `defineTopics` takes for one topic: a definition, or only its body's schema. */
export type TopicInput = StandardSchemaV1<unknown, unknown> | TopicDef<unknown, unknown>

/** A topic as the bus and its plugins see it. */
export interface TopicDefinition extends TopicOptions {
  readonly body?: StandardSchemaV1
  readonly reply?: StandardSchemaV1
}

/**
 * All topics of an application as one value, from which types, codecs and settings follow. Made by `defineTopics` or `topicTypes`.
 *
 * `M` maps each topic's name to its body, or to `RequestReply<Body, Reply>`.
 */
export interface Topics<M extends object> {
  /** For the type checker only; never there at run time. */
  readonly '~topics'?: M
  /** Absent if made by `topicTypes`: then any name may be used. */
  readonly definitions?: Readonly<Record<string, TopicDefinition>>
}

/** The body of a topic whose handlers answer with `R`. For `topicTypes`; `defineTopics` makes it from `reply`. */
export type RequestReply<B, R> = B & { readonly '~reply'?: R }

/** The map of types that `defineTopics` infers from its argument. */
export type TopicsOf<D> = { [K in keyof D]: BodyAndReply<BodyIn<D[K]>, ReplyIn<D[K]>> }

type BodyIn<D> = D extends { body: StandardSchemaV1<unknown, infer B> }
  ? B
  : D extends StandardSchemaV1<unknown, infer B>
    ? B
    : never
type ReplyIn<D> = D extends { reply: StandardSchemaV1<unknown, infer R> } ? R : never
type BodyAndReply<B, R> = [R] extends [never] ? B : RequestReply<B, R>

/** The names of the topics in `T`. */
export type TopicName<T> = keyof T & string

/** What `request` resolves with, for a topic whose entry is `B`; `unknown` if it declares no reply. */
export type ReplyOf<B> = B extends { readonly '~reply'?: infer R } ? R : unknown

/** What a handler may return: the reply if the topic declares one; else anything, which becomes the message's result. */
export type Result<B> = [ReplyOf<B>] extends [infer R] ? (unknown extends R ? unknown : R | Promise<R>) : never
