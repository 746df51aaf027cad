import type { EncodedBody } from '../publish/encoded-body.js'
import type { TopicStats } from './admin.js'
import type { Bus } from './bus.js'
import type { Delivery } from './delivery.js'
import type { Events } from './events.js'
import type { Guard, GuardArgs } from './guard.js'
import type { Logger } from './logger.js'
import type { BatchMiddleware, DecodeMiddleware, HandleMiddleware, PublishMiddleware } from './middleware.js'
import type { TopicDefinition } from './topics.js'

/** A script of a plugin's own, for what is no part of a publish, fetch or settle. */
export interface PluginScript {
  readonly name: string
  /** Names of its keys, in the plugin's own part of the topic's keys, as a guard's. */
  keys(topic: string): readonly string[]
  /** Its body; sees `keys` (full names, in the order of `keys()`) and `args` (strings) and may return. It may run twice if a connection fails. */
  readonly lua: string
  /** It writes nothing: it runs while Redis is full as well, which refuses the others then. From Redis 7 on it fails if it writes all the same. Default: false. */
  readonly readOnly?: boolean
}

/** What a plugin is given in `setup`: all that it can do. Declared things take effect at `ready`; declaring later throws `BUS_STARTED`. */
export interface Scope {
  readonly service: string
  /** A child of the bus' logger, with the plugin's name. */
  readonly log: Logger
  /** The application's topics by name; empty if it has not defined any. */
  readonly topics: Readonly<Record<string, TopicDefinition>>
  /** The bus, from `ready` on; before that it throws `CONFIG_INVALID`. Topics that begin with `$` are plugins' own. */
  readonly bus: Bus
  /**
   * The bus once it is ready, which this sees to. For what the plugin adds to the bus: that may be the first thing that an application uses. Rejects as
   * `bus.ready` does.
   */
  started(): Promise<Bus>
  /**
   * Around a publish, once per call, never again for retries: `enrich` in the caller's async context (headers, options, `owns`, `reportTo`), then `encode`
   * (bodies into bytes).
   */
  publish(stage: 'enrich' | 'encode', middleware: PublishMiddleware): void
  /** Around decoding; transform what `next()` gives. */
  consume(stage: 'decode', middleware: DecodeMiddleware): void
  /** Around each handler's run. What it throws fails the run. */
  consume(stage: 'handle', middleware: HandleMiddleware): void
  /** Around a batch handler's run. */
  consume(stage: 'batch', middleware: BatchMiddleware): void
  /** Sees, and can break nothing: what it throws is logged. */
  observe<E extends keyof Events>(event: E, observer: (event: Events[E]) => void): void
  /** Adds an option to `publish` or `consume`. `check` answers what the value should be, or `undefined` if it is fine; see `PluginTypes` for its type. */
  option(where: 'publish' | 'consume', name: string, check: (value: unknown) => string | undefined): void
  /** Adds a property to the handler's context, made when first used. Async functions or plain data, so that a sandbox can carry it. */
  context(name: string, make: (delivery: Delivery) => unknown): void
  /** Adds fields to the log lines written in a handler. */
  logBindings(bindings: () => Record<string, unknown>): void
  /** The numbers of several topics in one call, of whatever topics: the application's, others in Redis, plugins' own. From `ready` on. Rejects with `INVALID_TOPIC`. */
  stats(topics: readonly string[]): Promise<Record<string, TopicStats>>
  /**
   * A body as a publish would send it now, to be published later: `bus.publish(topic, new EncodedBody(...))`. Checks all that a publish checks before it
   * sends, `options` included. Rejects with `INVALID_TOPIC`, `INVALID_OPTIONS`, `INVALID_BODY`, `PAYLOAD_TOO_LARGE`. From `ready` on.
   */
  encode(topic: string, body: unknown, options?: object): Promise<EncodedBody>
  /** Declares a script and gives the function that runs it (from `ready` on) on one topic's keys. Rejects with a `BuswayError`. */
  script<A extends GuardArgs, R = unknown>(script: PluginScript): (topic: string, ...args: A) => Promise<R>
  guard(guard: Guard): void
  /** I/O before the first fetch and publish, in the order of registration; what it throws makes the bus' `ready` reject. */
  ready(start: () => Promise<void> | void): void
  /** After the drain, in reverse order, with the connections still there; what it throws is logged. */
  close(stop: () => Promise<void> | void): void
}
