/**
 * The seams inside the bus: what its parts know of each other. Read this after the public contract in `api/`.
 *
 *   bus ── publish/ ──┐
 *    │                ├── redis/ (connection, runner, wakes) ── @busway/lua ── Redis
 *    ├── consume/ ────┤
 *    ├── relay/ ──────┤
 *    ├── admin/ ──────┘
 *    └── plugins/ (the pipeline that publish/ and consume/ run through)
 */
import type { Script, ScriptName, StagedPublish } from '@busway/lua'
import type {
  BatchContext,
  BusEvents,
  ConsumeContext,
  Delivery,
  Encoded,
  Events,
  FetchSubject,
  GuardArgs,
  Logger,
  Message,
  Outcome,
  Outgoing,
  PublishBatch,
  Receipt,
  Subscription,
} from './api/index.js'
import type { SuspectTurn } from './consume/suspects.js'
import type { BuswayError } from './errors/index.js'
import type { EncodedBody } from './publish/encoded-body.js'
import type { TopicRunner } from './redis/bus-runner.js'
import type { TopicRegistry } from './topics/registry.js'
import type { Watches } from './watch/watches.js'
import type { WireMessage } from './wire/index.js'

/** Why a script's reply is missing. What may be concluded from it is the whole point. */
export type FailureKind =
  /** It never left this process. */
  | 'unsent'
  /** Sent, and the connection went: it may or may not have run. */
  | 'unknown'
  /** Redis refused it before the first write: OOM, BUSY, LOADING, NOSCRIPT, READONLY, TRYAGAIN, MASTERDOWN, CLUSTERDOWN, NOAUTH ... */
  | 'refused'
  /** Redis ran it and it raised, or the answer made no sense: a bug or foreign data. */
  | 'failed'

export interface RedisFailure extends Error {
  readonly kind: FailureKind
  /** Redis' error code (`OOM`, `NOSCRIPT`) where there is one. */
  readonly reply?: string
}

/** redis/runner.ts: sends scripts over the commands connection, in the order of the calls. */
export interface ScriptRunner {
  /** One try. Rejects with a RedisFailure. For numbered requests: their owner decides what to do next. */
  run<Request, Reply>(script: Script<Request, Reply>, topic: string, request: Request): Promise<Reply>
  /** Tries again after transport failures and refusals until `timeoutMs` has passed; for scripts that may run twice. Rejects with a BuswayError. */
  runRepeatable<Request, Reply>(
    script: Script<Request, Reply>,
    topic: string,
    request: Request,
    timeoutMs?: number,
  ): Promise<Reply>
  /** A plugin's own script, by name; `keys` follow meta and never, given relative to the topic's prefix. It may run twice if a connection fails. */
  runPlugin(name: string, topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown>
  /** Resolves when the connection is usable (scripts loaded); at once if it is. Rejects when the runner is closed. */
  usable(signal?: AbortSignal): Promise<void>
  /** After NOSCRIPT: loads the scripts again. Single-flight. */
  reload(): Promise<void>
  /** The server answers and cannot be used as it is (password, version, configuration): what to tell whoever waits. It is tried again all the same. */
  readonly problem: BuswayError | undefined
  /** Redis' clock, milliseconds, from the last reply's time and the monotonic clock. */
  now(): number
  /** Told by whoever reads `nowMs` off a reply. */
  learnTime(nowMs: number): void
  on(event: 'up' | 'down', listener: (error?: Error) => void): () => void
}

/** redis/wakes.ts: the subscribed connection. */
export interface Wakes {
  /** 8 characters, this bus in channel names and session ids. */
  readonly busId: string
  /**
   * Calls `listener` for each message on the topic's wake channel, with its first line and the bytes behind that, if there are any; resolves when Redis
   * confirmed the subscription. Reference-counted per topic.
   */
  subscribe(topic: string, listener: (payload: string, bytes?: Buffer) => void): Promise<() => void>
  /** The subscribed connection came back and is subscribed again: every session advances once, a wake may have been missed. */
  onBack(listener: () => void): () => void
}

/** publish/publisher.ts: what a topic's publishes go through after the pipeline. */
export interface Publisher {
  /**
   * `declare`s the topic, or the whole of which this is a partition, once per bus (and adds it to the registry); cheap afterwards. `partitions`: how many it has,
   * if that was found out. Rejects with CONFIG_INVALID if it has another number.
   */
  ensureTopic(topic: string, partitions?: number): Promise<void>
  /** It was deleted: the next `ensureTopic` declares it again. */
  forgetTopic(topic: string): void
  /** Takes a topic that was deleted out of the registry. */
  unregisterTopic(topic: string): Promise<void>
  publish(batch: PublishBatch): Promise<Receipt[]>
  /** Encodes one message staged by ctx.publish: runs the chain with `via: 'settle'` and gives the batch of one to send with the settle. */
  stage(topic: string, body: unknown, options: Record<string, unknown>): Promise<StagedPublish>
  /** A body as a publish would write it, for a message that has these headers. Rejects with INVALID_BODY, PAYLOAD_TOO_LARGE. */
  encodeBody(topic: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<WireMessage>
  /** For a publish that comes later, maybe elsewhere. Rejects as `publish` does, for all that can be known before it is sent. */
  encode(topic: string, body: unknown, options: object): Promise<EncodedBody>
  /** Waits for everything accepted so far; gives up in time and says how many are unanswered. */
  close(timeoutMs: number): Promise<{ unanswered: number }>
}

/** relay/relayer.ts */
export interface Relayer {
  /** There is something in this topic's outbox. Single-flight per topic; never rejects. */
  kick(topic: string): void
  /** The same, and resolves when this round is over: then what could be relayed has been. */
  relayed(topic: string): Promise<void>
  close(timeoutMs: number): Promise<void>
}

/** One registered guard with its position among those at its place. `keys`: as its plugin declared them, relative to the topic's prefix. */
export interface RegisteredGuard {
  readonly plugin: string
  readonly name: string
  keys(topic: string, group: string): readonly string[]
}
export interface RegisteredPublishGuard extends RegisteredGuard {
  args(message: Outgoing): GuardArgs | undefined
}
export interface RegisteredFetchGuard extends RegisteredGuard {
  args(subscription: FetchSubject): GuardArgs | undefined
}
export interface RegisteredSettleGuard extends RegisteredGuard {
  args(delivery: Delivery, outcome: Outcome): GuardArgs | undefined
}

/** plugins/pipeline.ts: all plugins, sorted and composed once, at ready(). Chains that no plugin uses are `undefined`: nothing is paid for them. */
export interface Pipeline {
  readonly publish: ((batch: PublishBatch, send: () => Promise<Receipt[]>) => Promise<Receipt[]>) | undefined
  /** The `enrich` part of it alone, for a body that is encoded already. */
  readonly enrich: Pipeline['publish']
  /** The `encode` part of it alone, for a body that replaces one. */
  readonly encode: Pipeline['publish']
  readonly decode: ((encoded: Encoded, bytes: () => Promise<unknown>) => Promise<unknown>) | undefined
  readonly handle: ((delivery: Delivery, run: () => Promise<unknown>) => Promise<unknown>) | undefined
  readonly batch: ((deliveries: readonly Delivery[], run: () => Promise<unknown>) => Promise<unknown>) | undefined
  readonly guards: {
    readonly publish: readonly RegisteredPublishGuard[]
    readonly fetch: readonly RegisteredFetchGuard[]
    readonly settle: readonly RegisteredSettleGuard[]
  }
  /** Whether anybody observes the event; ask before building one. */
  listens(event: keyof Events): boolean
  /** Calls the observers; what they throw is logged and goes no further. */
  emit<E extends keyof Events>(event: E, payload: Events[E]): void
  /** The names plugins added to the options of `publish` and `consume`, and their checks. Throws INVALID_OPTIONS. */
  checkOption(where: 'publish' | 'consume', name: string, value: unknown): void
  optionNames(where: 'publish' | 'consume'): readonly string[]
  /** What plugins add to a handler's context, by name: made when first used. */
  readonly context: ReadonlyMap<string, (delivery: Delivery) => unknown>
  /** Bindings for log lines written inside a handler. */
  logBindings(): Record<string, unknown>
}

/** What a subscription is made from. */
export interface ConsumeDependencies {
  readonly service: string
  readonly namespace: string
  readonly runner: ScriptRunner
  readonly wakes: Wakes
  readonly publisher: Publisher
  readonly relayer: Relayer
  /** Called when a subscription is made (for the options' names) and when it starts. */
  readonly pipeline: () => Pipeline
  readonly log: Logger
  /** All subscriptions of a bus take turns. */
  readonly suspects: SuspectTurn
  /** Tells the bus' listeners (`bus.on`). */
  readonly report: <E extends keyof BusEvents>(event: E, payload: BusEvents[E]) => void
}

/**
 * consume/subscription.ts: `createSubscription(dependencies, topic, work, options)` checks everything and throws; nothing is sent before `start`, which
 * the bus calls when it is ready (plugins started), or `fail` if it can't become so.
 */
export interface OwnedSubscription extends Subscription {
  readonly topic: string
  readonly group: string
  start(): void
  /** The bus can't start: `ready` rejects with this. */
  fail(error: Error): void
  /** Resolves when it is closed, by whomever. */
  readonly closed: Promise<void>
}

/** What asks one place in Redis: a topic, or one of its partitions under the topic's name. */
export type AdminDependencies = Pick<ConsumeDependencies, 'runner' | 'relayer' | 'pipeline' | 'publisher'>

/** admin/topic-admin.ts: `createTopicAdmin(dependencies, topic)`, where the bus checked the name. */
export interface TopicAdminDependencies extends AdminDependencies {
  readonly watches: Pick<Watches, 'settled'>
  readonly registry: Pick<TopicRegistry, 'partitions'>
  /** To the server that has the topic, or the partition. */
  readonly runnerOf: (name: string) => TopicRunner
}

export type AnyHandler = (message: Message, context: ConsumeContext) => unknown
export type AnyBatchHandler = (messages: readonly Message[], context: BatchContext) => unknown
/** What a subscription runs. */
export type AnyWork =
  | { readonly kind: 'message'; readonly handler: AnyHandler }
  | { readonly kind: 'batch'; readonly handler: AnyBatchHandler }
export type { ScriptName }
