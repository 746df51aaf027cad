/** What a plugin is made of, and what it is given. docs/plugins.md is the guide, docs/guards.md the contract of a guard's Lua. */
import type { DeadReason, TopicStats } from './admin.js'
import type { Bus } from './bus.js'
import type { Logger } from './logger.js'
import type { Message } from './message.js'
import type { HandleMiddleware } from './options.js'
import type { Receipt } from './receipt.js'
import type { TopicDefinition } from './topics.js'

/**
 * A plugin is a value: what it is called, what it needs, and a `setup` that declares what it does. It is registered with `createBus({ plugins })` or `use`.
 *
 * @example
 * const stamp = (): Plugin<'stamp'> => ({
 *   name: 'stamp',
 *   api: 1,
 *   setup(scope) {
 *     scope.publish('enrich', async (batch, next) => {
 *       for (const message of batch.messages) message.headers.stampedBy = scope.service
 *       return next()
 *     })
 *   },
 * })
 */
export interface Plugin<N extends string = string> {
  /** Unique in a bus; the key of its `PluginTypes`. Lower case letters, digits and dashes. */
  readonly name: N
  /** The version of this contract. */
  readonly api: 1
  /** Names of plugins that must be registered too. Their being missing is `CONFIG_INVALID` at `ready`. */
  readonly requires?: readonly string[]
  /** Names of plugins that this one is outside of, if they are there. */
  readonly before?: readonly string[]
  /** Names of plugins that this one is inside of, if they are there. */
  readonly after?: readonly string[]
  /** Declares, and does no I/O: that belongs into `scope.ready`. What it returns becomes part of the bus. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a setup without a return is the usual one
  setup(scope: Scope): BusAdditions | void
}

/** Properties that a plugin adds to the bus; two plugins with the same one, or one of the bus itself, are `CONFIG_INVALID`. */
export type BusAdditions = object

/** A message on its way out. What `enrich` and `encode` change here is what is published. */
export interface Outgoing {
  /** A value up to `encode`; a `Uint8Array` is published as it is, anything else as JSON. */
  body: unknown
  /** Says what the bytes are once a plugin has encoded them. */
  contentType: string
  /** A copy of its own: may be added to. */
  headers: Record<string, string>
  /** The options of the publish, the plugins' own among them, already checked. */
  readonly options: Readonly<Record<string, unknown>>
  /** Keys, named as in a guard's `keys`, that are deleted when the message ends if their value is its id; wherever and by whatever it ends. */
  owns?: string[]
  /** A topic that is told how the message ended, for each group: `Report`. */
  reportTo?: { topic: string; key?: string }
}

/** What a topic named by `reportTo` receives as a body, once for each group that ended the message. Its type is `busway.report`. */
export interface Report {
  readonly id: string
  /** Absent where no group had it yet: a waiting message that was replaced. */
  readonly group?: string
  readonly outcome: 'done' | 'dead' | 'purged' | 'expired' | 'cancelled' | 'replaced' | 'removed'
  readonly result?: unknown
  readonly error?: { readonly name: string; readonly message: string }
}

/** The messages of one `publish`, `publishBatch` or `ctx.publish`. */
export interface PublishBatch {
  readonly topic: string
  readonly messages: readonly Outgoing[]
  /** `settle`: a handler's `ctx.publish`, sent with its settle; its receipts are only promises of it. */
  readonly via: 'publish' | 'settle' | 'outbox'
}

/** A message on its way in, before it is decoded. */
export interface Encoded {
  readonly topic: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: Uint8Array
}

/** One message in the hands of one subscription. */
export interface Delivery {
  readonly message: Message
  readonly group: string
  /** The options of the subscription, the plugins' own among them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
  /** As `ctx.publish`: joins the settle. */
  readonly publish: (topic: string, body: unknown, options?: Record<string, unknown>) => Promise<void>
  /** Arguments for settle guards, by the guard's name, from `handle` middleware; they stand in for what the guard's `args` answers. */
  readonly settle: Map<string, GuardArgs>
}

/** How a delivery ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'retry'; readonly error: Error; readonly delayMs: number; readonly counted: boolean }
  | { readonly kind: 'dead'; readonly error: Error; readonly reason: DeadReason }
  | { readonly kind: 'released' }

/** What can be observed. Moments are milliseconds since the epoch by this process' clock. */
export interface Events {
  /** A publish was answered; `error` if it was refused or its fate is unknown, then without receipts. */
  published: {
    readonly topic: string
    readonly receipts: readonly Receipt[]
    readonly via: PublishBatch['via']
    readonly startMs: number
    readonly endMs: number
    readonly error?: Error
  }
  /** Messages arrived. */
  fetched: {
    readonly topic: string
    readonly group: string
    readonly count: number
    readonly startMs: number
    readonly endMs: number
  }
  /** Redis confirmed what became of a delivery, or refused it since the lease was lost. */
  settled: {
    readonly delivery: Delivery
    readonly outcome: Outcome
    /** How long the handler ran. */
    readonly runMs: number
    /** From the message's time to its settle. */
    readonly sinceMs: number
    readonly settleStartMs: number
    readonly settleEndMs: number
    readonly refused?: 'LEASE_LOST'
  }
  /** Messages of a consumer that went silent were released to others. */
  recovered: { readonly topic: string; readonly group: string; readonly ranges: number; readonly crashed: number }
  /** Dead letters were made ready again. */
  redriven: { readonly topic: string; readonly group: string; readonly count: number }
  /** Redis was reached, or lost. */
  connection: { readonly state: 'up' | 'down'; readonly error?: Error }
}

/** What a guard's TypeScript half hands to its Lua half. Arrives as strings. */
export type GuardArgs = readonly (string | number | Uint8Array)[]

/** The subscription for which a fetch guard gives arguments. */
export interface FetchSubject {
  readonly topic: string
  readonly group: string
  readonly options: Readonly<Record<string, unknown>>
}

/** Decides, in the publish script, whether a message is accepted. */
export interface PublishGuard {
  readonly at: 'publish'
  readonly name: string
  /** Names of the keys it uses, relative to the topic's prefix. */
  keys(topic: string): readonly string[]
  /** Called once per message; `undefined`: this message does not meet the guard, and nothing is paid. */
  args(message: Outgoing): GuardArgs | undefined
  /** A chunk that returns `{ check, apply? }`. */
  readonly lua: string
}

/** Decides, in the fetch, how many messages a subscription may take now. */
export interface FetchGuard {
  readonly at: 'fetch'
  readonly name: string
  keys(topic: string, group: string): readonly string[]
  /** Called once per subscription; `undefined`: this subscription does not meet the guard. */
  args(subscription: FetchSubject): GuardArgs | undefined
  /** A chunk that returns `{ check?, skip?, apply? }`. */
  readonly lua: string
}

/** Writes, in the settle, what its own consumer wants to remember. */
export interface SettleGuard {
  readonly at: 'settle'
  readonly name: string
  keys(topic: string, group: string): readonly string[]
  /** Called once per settle; `undefined`: this settle does not meet the guard. */
  args(delivery: Delivery, outcome: Outcome): GuardArgs | undefined
  /** A chunk that returns `{ apply }`. */
  readonly lua: string
}

/** A plugin's Lua, run inside the kernel's scripts, so that it is decided and written with them. See docs/guards.md. */
export type Guard = PublishGuard | FetchGuard | SettleGuard

/** A script of a plugin's own, for what is no part of a publish, fetch or settle. */
export interface PluginScript {
  readonly name: string
  /** Names of its keys, relative to the topic's prefix. */
  keys(topic: string): readonly string[]
  /** Its body; sees `keys` (full names, in the order of `keys()`) and `args` (strings) and may return. It may run twice if a connection fails. */
  readonly lua: string
}

/** Around publishing: `next()` once, then its receipts, one per message. */
export type PublishMiddleware = (batch: PublishBatch, next: () => Promise<Receipt[]>) => Promise<Receipt[]>
/** Around decoding: `next()` gives bytes, or what an inner plugin made of them. Pure: admin pages run it too. */
export type DecodeMiddleware = (encoded: Encoded, next: () => Promise<unknown>) => Promise<unknown>
/** Around one batch handler. */
export type BatchMiddleware = (deliveries: readonly Delivery[], next: () => Promise<unknown>) => Promise<unknown>

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
  /** The numbers of several topics in one call. From `ready` on. */
  stats(topics: readonly string[]): Promise<Record<string, TopicStats>>
  /** Declares a script and gives the function that runs it (from `ready` on) on one topic's keys. Rejects with a `BuswayError`. */
  script<A extends GuardArgs, R = unknown>(script: PluginScript): (topic: string, ...args: A) => Promise<R>
  guard(guard: Guard): void
  /** I/O before the first fetch and publish, in the order of registration; what it throws makes the bus' `ready` reject. */
  ready(start: () => Promise<void> | void): void
  /** After the drain, in reverse order, with the connections still there; what it throws is logged. */
  close(stop: () => Promise<void> | void): void
}

/** What a plugin's package exports, so that a deployment file can name it. */
export interface PluginModule<N extends string = string, O = unknown> {
  default: (options?: O) => Plugin<N>
  /** JSON Schema of the options. */
  options: object
}

/** A plugin as `inspect` shows it. */
export interface InspectedPlugin {
  readonly name: string
  readonly requires: readonly string[]
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** What `bus.inspect()` answers. Names of plugins are in their order, outermost first. */
export interface Inspection {
  readonly service: string
  readonly plugins: readonly InspectedPlugin[]
  readonly chains: Readonly<Record<'enrich' | 'encode' | 'decode' | 'handle' | 'batch', readonly string[]>>
  /** As `plugin/guard`. */
  readonly guards: Readonly<Record<'publish' | 'fetch' | 'settle', readonly string[]>>
  /** As `plugin/script`. */
  readonly scripts: readonly string[]
  /** Option -> plugin. */
  readonly options: Readonly<Record<'publish' | 'consume', Readonly<Record<string, string>>>>
  /** Property -> plugin. */
  readonly context: Readonly<Record<string, string>>
  /** Property -> plugin. */
  readonly bus: Readonly<Record<string, string>>
  readonly observers: Readonly<Record<keyof Events, readonly string[]>>
  /** The same as text, for people. */
  toString(): string
}
