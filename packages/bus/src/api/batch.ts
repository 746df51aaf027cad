/** Handlers of many messages at once. */
import type { BusPlugins, BusTopics, BusTypes } from './bus.js'
import type { Duration } from './duration.js'
import type { Logger } from './logger.js'
import type { ConsumeContext, Message } from './message.js'
import type { ConsumeOptionsCore, PublishOptions } from './options.js'
import type { Adds } from './plugin-types.js'
import type { ReplyOf, TopicName } from './topics.js'

/** When a batch is complete: as soon as it is full, or its first message has waited long enough. */
export interface BatchOptions {
  /** The most messages of a batch, 1 to 1,000. */
  size: number
  /** How long the first message of a batch waits for others; `0`: takes what is there. At most an hour. Default: `50ms`. */
  wait?: Duration
}

/** The kernel's options of `consumeBatch`: those of `consume`, and what makes a batch. `timeout` is of one run of the batch handler. */
export interface ConsumeBatchOptionsCore extends ConsumeOptionsCore {
  batch: BatchOptions
  /** Batches that are handled at once in this subscription; `batch.size` times this is at most 10,000. Default: 1. */
  concurrency?: number
}

/** The options of `consumeBatch`: the kernel's and what the plugins `P` add to those of `consume`. */
export type ConsumeBatchOptions<
  T extends object = Record<string, unknown>,
  P extends string = never,
> = ConsumeBatchOptionsCore & Adds<T, P, 'consume'>

/**
 * A batch handler's second argument. `signal` and `log` are of the whole batch. What plugins add is about one message, as is `progress`, so that is on the
 * contexts which `of` gives.
 */
export interface BatchContext<T extends object = Record<string, unknown>, P extends string = never> {
  /** The consumer group. */
  readonly group: string
  /** Aborted at the timeout of the batch, when the lease is lost, and on a forced close; not for one message of several. */
  readonly signal: AbortSignal
  /** A child logger with service, topic, group and the number of messages; made when first used. */
  readonly log: Logger
  /**
   * Publishes with the settles of the batch, all in one request, all or nothing: if the handler throws, or the lease was lost, nothing is published. With a
   * `BatchError` that leaves some messages done, it is. Resolves and rejects as the `publish` of one message's context does.
   *
   * @example
   * await ctx.publish('ledger.booked', { orders: messages.length })
   */
  publish<K extends TopicName<T>>(topic: K, body: T[K], options?: PublishOptions<T, P>): Promise<void>
  /**
   * The context of one of the messages, as its own handler would get it, with what plugins add and `progress`. What it publishes exists exactly if that
   * message is done. Throws `INVALID_OPTIONS` for what is no message of this batch.
   *
   * @example
   * for (const message of messages) await ctx.of(message).publish('receipts.sent', { order: message.body.id })
   */
  of<K extends TopicName<T>>(message: Message<T, K>): ConsumeContext<T, P>
}

/**
 * What a batch handler may return. A topic that declares a reply wants one for each message, in their order. For others a list with an entry for each
 * message is their results, and anything else is none.
 */
export type BatchResult<B> = [ReplyOf<B>] extends [infer R]
  ? unknown extends R
    ? unknown
    : readonly R[] | Promise<readonly R[]>
  : never

/**
 * The type of a batch handler written apart from its `consumeBatch` call.
 *
 * @example
 * export const onPaid: BatchHandler<typeof bus, 'orders.paid'> = async (messages, ctx) => { ctx.log.info(`${messages.length} paid`) }
 */
export type BatchHandler<B extends BusTypes, K extends TopicName<BusTopics<B>>> = (
  messages: readonly Message<BusTopics<B>, K>[],
  context: BatchContext<BusTopics<B>, BusPlugins<B>>,
) => BatchResult<BusTopics<B>[K]>
