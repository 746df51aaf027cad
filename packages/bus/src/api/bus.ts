import type { RedisOptions } from 'ioredis'
import type { TopicAdmin } from './admin.js'
import type { BatchContext, BatchResult, ConsumeBatchOptions } from './batch.js'
import type { ClusterOptions } from './cluster.js'
import type { Durability } from './durability.js'
import type { Duration } from './duration.js'
import type { EventsOptions, TopicEvents } from './events.js'
import type { Inspection } from './inspection.js'
import type { LoggerOption } from './logger.js'
import type { ConsumeContext, Message } from './message.js'
import type { ConsumeOptions, PublishEntry, PublishOptions } from './options.js'
import type { Matching, PatternInfo, TopicOrPattern, TopicPattern } from './patterns.js'
import type { Plugin } from './plugin.js'
import type { Adds } from './plugin-types.js'
import type { Receipt } from './receipt.js'
import type { CloseOptions, CloseReport, Subscription } from './subscription.js'
import type { ReplyOf, Result, TopicName, Topics } from './topics.js'

/** What `createBus` takes. */
export interface BusOptions<
  T extends object = Record<string, unknown>,
  Plugins extends readonly Plugin[] = readonly Plugin[],
> {
  /** This service's name: the default consumer group and the source of what it publishes. 1 to 100 of `A-Z a-z 0-9 . _ -`. */
  service: string
  /** The application's topics, from `defineTopics` or `topicTypes`. Default: any topic, with unknown bodies. */
  topics?: Topics<T>
  /** First registered is outermost. More can follow with `use`. Default: none. */
  plugins?: Plugins
  /**
   * An address, or ioredis' options. `{ sentinels, name }` finds the primary through Redis Sentinel; `{ cluster: [{ host, port }] }` or `redis+cluster://host:port`
   * is a Redis Cluster. Default: `$REDIS_URL`, else `redis://127.0.0.1:6379`.
   */
  redis?: string | RedisOptions | ClusterOptions
  /** Separates applications that share a Redis; no braces. Default: `busway`. */
  namespace?: string
  /** What must have a publish before it resolves. More than `memory` takes a third connection. Default: `memory`. */
  durability?: Durability
  /** Default: pino, at level info. */
  logger?: LoggerOption
  /** The longest body in bytes; longer ones are refused with `PAYLOAD_TOO_LARGE`. Default: 1 MiB. */
  maxPayload?: number
  /** How long a publish is tried when Redis does not answer: then `REDIS_UNAVAILABLE` or `PUBLISH_UNKNOWN`. Default: `10s`. */
  publishTimeout?: Duration
}

/** What happens to a bus beyond its calls; each with what listeners of `on` are given. */
export interface BusEvents {
  /** Something failed that no caller waits for. Logged as well. */
  error: Error
  /** Redis was reached, or lost. */
  connection: { readonly state: 'up' | 'down'; readonly error?: Error }
  /** The server is behind what it had confirmed (a failover, a lost second): what is unanswered was sent again, what was confirmed may be gone. */
  rollback: { readonly topic: string; readonly side: 'producer' | 'consumer'; readonly group?: string }
  /** A run went on for a lease after its timeout and is given up: it will be tried again, this one can settle nothing. */
  abandoned: { readonly topic: string; readonly group: string; readonly id: string }
}

/**
 * A message bus: publishes and consumes over one pair of connections to Redis. Made by `createBus`; plugins add to it, see `Bus`.
 *
 * @example
 * await using bus = createBus({ service: 'orders', topics, plugins: [dedupe()] })
 * bus.consume('orders.created', async (message, ctx) => { ctx.log.info(message.body.id) })
 * await bus.publish('orders.created', { id: '1' })
 */
export interface BusCore<T extends object, P extends string> extends AsyncDisposable {
  /** For the type checker only; never there at run time. A bus with more plugins passes for one with fewer, not the other way round. */
  readonly '~types'?: { readonly topics: T; readonly plugins: (name: P) => void }
  /** Adds a plugin, innermost so far, and gives the bus back, typed with what it adds. Throws `BUS_STARTED` after `ready`, `CONFIG_INVALID` for what is no plugin. */
  use<N extends string>(plugin: Plugin<N>): Bus<T, P | N>
  /**
   * Connects, checks the server and starts the plugins. The first publish or consume does it too; awaiting it tells early what is wrong.
   * Rejects with `CONFIG_INVALID`, `REDIS_UNAVAILABLE`, `REDIS_TOO_OLD`.
   */
  ready(): Promise<void>
  /** Closes subscriptions, waits for publishes under way, closes the plugins in reverse, then the connections. May be called repeatedly. */
  close(options?: CloseOptions): Promise<CloseReport>
  /** What is registered, in which order: data with a printable form. */
  inspect(): Inspection
  /**
   * Publishes one message. Resolves when Redis has it.
   * Rejects with `INVALID_TOPIC`, `INVALID_OPTIONS`, `INVALID_BODY`, `PAYLOAD_TOO_LARGE`, `PUBLISH_REJECTED` (a plugin's guard), `REDIS_OUT_OF_MEMORY`,
   * `REDIS_UNAVAILABLE` (never sent), `PUBLISH_UNKNOWN` (may or may not have happened), `BUS_CLOSED`.
   *
   * @example
   * await bus.publish('orders.paid', { id: '1' }, { key: 'customer-7', delay: '5s' })
   */
  publish<K extends TopicName<T>>(topic: K, body: T[K], options?: PublishOptions<T, P>): Promise<Receipt>
  /**
   * Publishes up to 1,000 messages (1 MiB in all) at once: all or none. The receipts are in the entries' order.
   * Rejects as `publish` does, and with `BATCH_TOO_LARGE`.
   *
   * @example
   * await bus.publishBatch('orders.paid', orders.map(body => ({ body, key: body.customer })))
   */
  publishBatch<K extends TopicName<T>>(
    topic: K,
    entries: readonly PublishEntry<T[K], T, P>[],
    options?: { signal?: AbortSignal },
  ): Promise<Receipt[]>
  /**
   * Publishes and waits for what a handler returns: `undefined` if nothing. Of several groups the first to return something answers; what fails is retried
   * by its group's policy first. After the timeout (default: `10s`) it
   * is not begun any more, unless `expiresIn` says otherwise. `signal` ends the waiting, with its reason.
   * Rejects as `publish` does, and with `REQUEST_TIMEOUT`, or a `RequestError` (`REQUEST_FAILED`) that carries what the handler threw in the end.
   *
   * @example
   * const { price } = await bus.request('fares.quote', { from: 'OSL' }, { timeout: '2s' })
   */
  request<K extends TopicName<T>>(
    topic: K,
    body: T[K],
    options?: PublishOptions<T, P> & { timeout?: Duration },
  ): Promise<ReplyOf<T[K]>>
  /**
   * Handles the messages of a topic, or of all that a pattern matches, in a consumer group. A handler that returns settles its message; one that
   * throws has it tried again by the retry policy (`RetryAfterError`: after a time of its choice; `UnrecoverableError`: not at all).
   *
   * In a pattern `*` is one token and `>`, last, one or more; topics that come later are matched too, from their first message on. `concurrency` is over all
   * of them in this process, the other options are for each topic. The group takes part until `removePattern`, whether or not it has consumers. A topic that
   * is also consumed by its name, in the same group and bus, is left to that subscription; one that two patterns match, to the first.
   *
   * Throws `INVALID_TOPIC`, `INVALID_OPTIONS`, `DUPLICATE_SUBSCRIPTION` (this bus consumes the topic or pattern in this group already), `BUS_CLOSED`.
   *
   * @example
   * bus.consume('orders.*', message => { if (message.topic === 'orders.paid') send(message.body.id) }, { concurrency: 50 })
   */
  consume<const K extends string>(
    topic: TopicOrPattern<T, K>,
    handler: (message: Message<T, Matching<T, K>>, context: ConsumeContext<T, P>) => Result<T[Matching<T, K>]>,
    options?: ConsumeOptions<T, P>,
  ): Subscription
  /**
   * Handles the messages of a topic by batches, of `batch.size` or what has come in `batch.wait`. A handler that returns settles all of its messages; one
   * that throws a `BatchError` fails those that it names, and settles the others; any other error fails all. They are tried again by the retry policy.
   * Messages stand in their order of delivery; of one ordering key there is one at a time.
   * Throws as `consume` does; `INVALID_TOPIC` also for a pattern.
   *
   * @example
   * bus.consumeBatch('orders.paid', orders => table.insert(orders.map(({ body }) => body)), { batch: { size: 500, wait: '100ms' } })
   */
  consumeBatch<K extends TopicName<T>>(
    topic: K,
    handler: (messages: readonly Message<T, K>[], context: BatchContext<T, P>) => BatchResult<T[K]>,
    options: ConsumeBatchOptions<T, P>,
  ): Subscription
  /**
   * What happens to the messages of a topic, in all groups and processes: settled, retried, dead, redriven, in progress. Nobody pays for it while nobody
   * listens. Events can be missed (a slow reader, a connection that was gone): then it says so. Throws `INVALID_TOPIC`, `INVALID_OPTIONS`, `BUS_CLOSED`.
   *
   * @example
   * for await (const event of bus.events('orders.paid')) if (event.type === 'dead') alert(event.id, event.error.message)
   */
  events<K extends TopicName<T>>(topic: K, options?: EventsOptions): TopicEvents
  /** Looks after a topic: its numbers, its groups, their dead letters. */
  topic<K extends TopicName<T>>(name: K): TopicAdmin<T[K]>
  /** The names of all topics of the namespace that were ever published to or consumed from, sorted; by whatever service. */
  topics(): Promise<string[]>
  /** Which groups take part in all topics that a pattern matches, sorted; by whatever service they were subscribed. */
  patterns(): Promise<PatternInfo[]>
  /**
   * Ends that a group takes part in topics to come by this pattern, and resolves with whether it did. Close its subscriptions first, in all processes: they
   * register it again when they reconnect. In the topics that there are the group stays, until it is removed from each.
   * Rejects with `INVALID_TOPIC`, `INVALID_GROUP`, `INVALID_OPTIONS`, `REDIS_UNAVAILABLE`, `BUS_CLOSED`.
   *
   * @example
   * await bus.removePattern('orders.*', { group: 'audit' })
   */
  removePattern(pattern: string, options: { group: string }): Promise<boolean>
  /** Calls `listener` whenever the event happens; the function it returns ends that. */
  on<E extends keyof BusEvents>(event: E, listener: (event: BusEvents[E]) => void): () => void
}

/** A bus over the topics `T` with what the plugins named `P` add. */
export type Bus<T extends object = Record<string, unknown>, P extends string = never> = BusCore<T, P> &
  Adds<T, P, 'bus'>

/**
 * A bus over topics that `defineTopics` or `topicTypes` made, with what the plugins named `P` add.
 *
 * @example
 * export function start(bus: BusOf<typeof topics>): void { bus.consume('orders.paid', onPaid) }
 */
export type BusOf<X extends Topics<object>, P extends string = never> = Bus<NonNullable<X['~topics']>, P>

/** Any bus, where only its types matter. */
export interface BusTypes {
  readonly '~types'?: { readonly topics: object; readonly plugins: (name: never) => void }
}

/** The topics of a bus: `BusTopics<typeof bus>`. */
export type BusTopics<B extends BusTypes> = NonNullable<B['~types']>['topics']

/** The names of a bus' plugins: `BusPlugins<typeof bus>`. */
export type BusPlugins<B extends BusTypes> = Parameters<NonNullable<B['~types']>['plugins']>[0]

/**
 * The type of a handler written apart from its `consume` call.
 *
 * @example
 * export const onPaid: Handler<typeof bus, 'orders.paid'> = async (message, ctx) => { ctx.log.info(message.body.id) }
 */
export type Handler<B extends BusTypes, K extends TopicPattern<BusTopics<B>>> = (
  message: Message<BusTopics<B>, Matching<BusTopics<B>, K>>,
  context: ConsumeContext<BusTopics<B>, BusPlugins<B>>,
) => Result<BusTopics<B>[Matching<BusTopics<B>, K>]>

/** `createBus`: types follow from the topics and the plugins listed. Throws `CONFIG_INVALID` for what can be seen to be wrong before connecting. */
export type CreateBus = <T extends object = Record<string, unknown>, const Plugins extends readonly Plugin[] = []>(
  options: BusOptions<T, Plugins>,
) => Bus<T, Plugins[number]['name']>
