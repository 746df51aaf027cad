import type { Logger } from './logger.js'
import type { PublishOptions } from './options.js'
import type { Adds } from './plugin-types.js'
import type { TopicName } from './topics.js'

/** One message as a handler gets it. Over several topics a union, told apart by `topic`. */
export type Message<T extends object = Record<string, unknown>, K extends TopicName<T> = TopicName<T>> = {
  [N in K]: MessageOf<N, T[N]>
}[K]

/** The fields of a message; see `Message`. */
export interface MessageOf<N extends string, Body> {
  /** Its own id if its publisher gave one, else its address in Redis; unique in the topic. */
  readonly id: string
  readonly topic: N
  /** CloudEvents `type`; the topic's name if the publisher said nothing. */
  readonly type: string
  /** The service that published it. */
  readonly source: string
  /** When it was handed over, by Redis' clock as the producer knew it; for a batch, when its oldest was. */
  readonly time: Date
  /** The ordering key. */
  readonly key?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  /** `application/json` unless a plugin says otherwise. */
  readonly contentType: string
  /** Which attempt of this group this is, from 1. */
  readonly attempt: number
  /** It may have been run before (an earlier attempt, a consumer that is gone, a redriven dead letter), so its effects may be there already. */
  readonly redelivered: boolean
}

/** What the kernel gives a handler beside the message; plugins add to it, see `ConsumeContext`. */
export interface ConsumeContextCore<T extends object = Record<string, unknown>, P extends string = never> {
  /** The consumer group. */
  readonly group: string
  /** Aborted at the timeout, when the lease is lost, and on a forced close. Hand it to whatever the handler waits for. */
  readonly signal: AbortSignal
  /** A child logger with service, topic, group, message id and attempt; made when first used. */
  readonly log: Logger
  /**
   * Publishes with this message's settle, all or nothing: if the handler throws, or the lease was lost, nothing is published. Resolves when the message
   * is encoded and staged. Rejects with `INVALID_TOPIC`, `INVALID_OPTIONS`, `INVALID_BODY`, `PAYLOAD_TOO_LARGE`; with `LEASE_LOST` once the run is abandoned.
   *
   * @example
   * bus.consume('orders.paid', async (message, ctx) => { await ctx.publish('invoices.wanted', { order: message.body.id }) })
   */
  publish<K extends TopicName<T>>(topic: K, body: T[K], options?: PublishOptions<T, P>): Promise<void>
  /**
   * Says how far the handler is to whoever watches the topic (`bus.events`): any JSON value, up to 64 KiB. Nothing is sent while nobody watches. Called
   * faster than Redis answers, only the newest value goes; the last goes before the settle. After the handler's end it does nothing. Throws `INVALID_OPTIONS`
   * for what is no JSON, or too long.
   *
   * @example
   * bus.consume('reports.wanted', async ({ body }, ctx) => { for (const [i, page] of body.pages.entries()) { await print(page); ctx.progress({ printed: i + 1 }) } })
   */
  progress(value: unknown): void
}

/** A handler's second argument: the kernel's part and what the plugins `P` add. */
export type ConsumeContext<T extends object = Record<string, unknown>, P extends string = never> = ConsumeContextCore<
  T,
  P
> &
  Adds<T, P, 'context'>
