/**
 * The bus: wires its parts together and owns their order.
 *
 * 1. made: options are checked, plugins set up; nothing is sent
 * 2. started, by ready() or the first publish or consume: plugins composed, connections opened, plugins started, subscriptions started
 * 3. closed: subscriptions drain, plugins stop, publishes under way are answered, the outbox is relayed, connections end
 */
import { REGISTRY } from '@busway/lua'
import { createTopicAdmin } from './admin/topic-admin.js'
import type {
  Bus,
  BusCore,
  BusEvents,
  BusOptions,
  CloseOptions,
  CloseReport,
  EventsOptions,
  Inspection,
  PatternInfo,
  Plugin,
  Receipt,
  Subscription,
  TopicAdmin,
  TopicEvents,
} from './api/index.js'
import { BusListeners } from './bus-listeners.js'
import { type BusSettings, checkBusOptions } from './bus-options.js'
import { BusSubscriptions } from './bus-subscriptions.js'
import { WaitingCalls } from './bus-waiting.js'
import { createTopicSubscription } from './consume/partitioned-subscription.js'
import { type PatternDependencies, PatternSubscription } from './consume/pattern-subscription.js'
import { SuspectTurn } from './consume/suspects.js'
import { BuswayError } from './errors/busway-error.js'
import { partitionNames } from './partitions/names.js'
import { createPlugins, type Plugins } from './plugins/index.js'
import { Confirmation, checkAof } from './publish/durability.js'
import { BusPublisher } from './publish/publisher.js'
import type { BusRunner } from './redis/bus-runner.js'
import { closedError } from './redis/connection.js'
import { Connections } from './redis/connections.js'
import { OutageLog } from './redis/outage-log.js'
import { reach } from './redis/reach.js'
import { WakeSubscriber } from './redis/wakes.js'
import { createRelayer, type RelayerParts } from './relay/relayer.js'
import { Requester } from './request/requester.js'
import type { AnyBatchHandler, AnyHandler, AnyWork } from './seams.js'
import { Catalog, TopicRegistry } from './topics/index.js'
import { durationMs } from './validate/durations.js'
import { checkGroup, isPattern, shown } from './validate/names.js'
import { checkNames, checkOptionsObject } from './validate/options.js'
import { Watches } from './watch/watches.js'

/** No byte for this long while something is in flight: the socket hangs. Half of the publish timeout's default, so that a publish survives it. */
const HANG_MS = 5_000

type State = 'made' | 'starting' | 'started' | 'closing' | 'closed'

class BusKernel implements BusCore<Record<string, unknown>, string> {
  readonly #settings: BusSettings
  readonly #listeners: BusListeners
  readonly #plugins: Plugins
  readonly #catalog: Catalog
  readonly #connections: Connections
  readonly #runner: BusRunner
  /** For publishes that wait for a confirmation. */
  #durable: BusRunner | undefined
  readonly #wakes: WakeSubscriber
  readonly #registry: TopicRegistry
  readonly #publisher: BusPublisher
  readonly #requester: Requester
  readonly #watches: Watches
  readonly #dependencies: PatternDependencies
  readonly #outages: OutageLog
  readonly #subscriptions = new BusSubscriptions()
  readonly #waiting = new WaitingCalls()
  #state: State = 'made'
  #isLive = false
  #isPublishing = true
  #isConnected = false
  #pluginCount = 0
  #starting: Promise<void> | undefined
  #closing: Promise<CloseReport> | undefined

  constructor(options: BusOptions<object, readonly Plugin[]>) {
    const settings = checkBusOptions(options)
    const { service, namespace, address, log } = settings
    this.#settings = settings
    this.#listeners = new BusListeners(log)
    this.#outages = new OutageLog(address, log)
    this.#catalog = new Catalog(settings.topics, () => this.#pluginCount > 0)
    this.#plugins = createPlugins({ service, log, topics: this.#catalog.definitions, bus: this })
    const report = this.#listeners.report
    this.#connections = new Connections({
      ...{ address, namespace, name: `busway:${service}`, hangMs: HANG_MS, timeoutMs: settings.publishTimeoutMs },
      lua: () => ({ guards: this.#plugins.guards(), scripts: this.#plugins.scripts() }),
    })
    this.#runner = this.#connections.runner('', {
      onWarning: (message) => log.warn({ redis: address.text }, message),
      onUp: () => this.#connected(),
      onDown: (error, problem) => this.#disconnected(error, problem),
    })
    const channels = this.#connections.channels(':wakes', (error) =>
      log.debug({ err: error }, 'The subscribed connection went; it is made again'),
    )
    this.#wakes = new WakeSubscriber(namespace, channels)
    this.#registry = new TopicRegistry(this.#runner, namespace)
    this.#publisher = new BusPublisher({
      service,
      runner: this.#runner,
      durableRunner: () => this.#durableRunner(),
      durability: settings.durability,
      wakes: this.#wakes,
      catalog: this.#catalog,
      pipeline: () => this.#plugins.compose(),
      maxPayload: settings.maxPayload,
      timeoutMs: settings.publishTimeoutMs,
      log,
      report,
      onOutbox: (topic) => this.#dependencies.relayer.kick(topic),
      registry: this.#registry,
    })
    const parts = {
      service,
      namespace,
      runner: this.#runner,
      wakes: this.#wakes,
      publisher: this.#publisher,
      log,
      report,
    }
    this.#requester = new Requester({ ...parts, catalog: this.#catalog })
    this.#watches = new Watches({
      ...parts,
      catalog: this.#catalog,
      placesOf: (topic) => this.#placesOf(topic),
    })
    const relayer = createRelayer({ ...parts, ...this.#durableRelay() })
    this.#dependencies = {
      ...parts,
      relayer,
      registry: this.#registry,
      suspects: new SuspectTurn(),
      pipeline: () => this.#plugins.pipeline(),
      runnerOf: (topic) => this.#runner.of(topic),
      mayJoin: (pattern, topic) => this.#subscriptions.mayJoin(pattern, topic),
    }
    for (const plugin of settings.plugins) this.use(plugin)
  }

  /** Where a topic is in Redis: itself, or its partitions; as this bus says, or as it was made by others. */
  #placesOf(topic: string): readonly string[] | Promise<readonly string[]> {
    if (this.#catalog.definition(topic) !== undefined) return partitionNames(topic, this.#catalog.partitions(topic))
    return this.#registry.partitions([topic]).then(([partitions = 1]) => partitionNames(topic, partitions))
  }

  /** What handlers publish is kept as what their bus publishes. */
  #durableRelay(): Pick<RelayerParts, 'durable'> {
    const wanted = this.#settings.durability
    if (wanted === undefined) return {}
    const runner = (): BusRunner => this.#durableRunner()
    const advice = 'See to the replicas; it stays in the outbox until they have it.'
    return { durable: { runner, confirmation: (topic) => new Confirmation(topic, runner().of(topic), wanted, advice) } }
  }

  #durableRunner(): BusRunner {
    const { log } = this.#settings
    this.#durable ??= this.#connections.runner(':durable', {
      onWarning: () => undefined,
      onUp: () => undefined,
      onDown: (error) => log.debug({ err: error }, 'The connection of durable publishes went; it is made again'),
    })
    return this.#durable
  }

  use(plugin: Plugin): never {
    this.#checkOpen()
    this.#plugins.add(plugin)
    this.#pluginCount++
    // Typed by what the plugin adds: see BusCore.use.
    return this as never
  }

  async ready(): Promise<void> {
    this.#checkOpen()
    // A plugin that asks while it starts would wait for itself.
    if (this.#plugins.insideReady()) return
    this.#plugins.compose()
    const reached = reach(this.#runner, this.#settings.publishTimeoutMs).then((unreachable) => {
      if (unreachable !== undefined) throw unreachable
    })
    await Promise.all([reached, this.#start()])
    if (this.#settings.durability?.kind === 'aof') await checkAof(this.#runner.of(REGISTRY))
  }

  publish(topic: string, body: unknown, options?: object): Promise<Receipt> {
    if (this.#isLive) {
      try {
        return this.#publisher.publishOne(topic, body, options)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.#whenLive(() => this.#publisher.publishOne(topic, body, options))
  }

  publishBatch(topic: string, entries: readonly unknown[], options?: { signal?: AbortSignal }): Promise<Receipt[]> {
    return this.#whenLive(() => this.#publisher.publishBatch(topic, entries, options))
  }

  request(topic: string, body: unknown, options: object = {}): Promise<unknown> {
    return this.#whenLive(() => this.#requester.request(topic, body, options))
  }

  consume(topic: string, handler: unknown, options: object = {}): Subscription {
    return this.#subscribe(topic, { kind: 'message', handler: handler as AnyHandler }, options)
  }

  consumeBatch(topic: string, handler: unknown, options: object = {}): Subscription {
    return this.#subscribe(topic, { kind: 'batch', handler: handler as AnyBatchHandler }, options)
  }

  #subscribe(topic: string, work: AnyWork, options: object): Subscription {
    this.#checkOpen()
    this.#catalog.checkSource(topic)
    if (isPattern(topic) && work.kind === 'batch')
      throw new BuswayError(
        'INVALID_TOPIC',
        `consumeBatch(${shown(topic)}): a batch is of one topic. Consume each by its name.`,
      )
    this.#plugins.compose()
    const subscription = isPattern(topic)
      ? new PatternSubscription(this.#dependencies, topic, work, options)
      : createTopicSubscription(this.#dependencies, topic, this.#catalog.partitions(topic), work, options)
    this.#subscriptions.add(subscription)
    if (this.#isLive || this.#plugins.insideReady()) subscription.start()
    else
      this.#start().then(
        () => subscription.start(),
        (error: Error) => subscription.fail(error),
      )
    return subscription
  }

  topic(name: string): TopicAdmin {
    this.#checkOpen()
    this.#catalog.check(name)
    this.#start().catch(() => undefined)
    return createTopicAdmin({ ...this.#dependencies, watches: this.#watches }, name)
  }

  events(topic: string, options?: EventsOptions): TopicEvents {
    this.#checkOpen()
    this.#catalog.check(topic)
    this.#start().catch(() => undefined)
    return this.#watches.events(topic, options)
  }

  /** The names of all topics of the namespace that were ever published to or consumed from. */
  async topics(): Promise<string[]> {
    this.#checkOpen()
    await this.#start()
    return this.#registry.all()
  }

  async patterns(): Promise<PatternInfo[]> {
    this.#checkOpen()
    await this.#start()
    return this.#registry.patterns()
  }

  async removePattern(pattern: string, options: { group: string }): Promise<boolean> {
    this.#checkOpen()
    this.#catalog.checkSource(pattern)
    if (!isPattern(pattern))
      throw new BuswayError(
        'INVALID_TOPIC',
        `removePattern(${shown(pattern)}): it is no pattern. A group is removed from one topic by bus.topic(name).group(name).remove().`,
      )
    checkOptionsObject('removePattern', options)
    checkNames('removePattern', options ?? {}, ['group'])
    const group: unknown = options?.group
    checkGroup(group)
    await this.#start()
    return this.#registry.removePattern({ group, pattern })
  }

  inspect(): Inspection {
    return this.#plugins.inspect()
  }

  on<E extends keyof BusEvents>(event: E, listener: (event: BusEvents[E]) => void): () => void {
    return this.#listeners.on(event, listener)
  }

  async close(options: CloseOptions = {}): Promise<CloseReport> {
    checkOptionsObject('close', options)
    checkNames('close', options, ['timeout'])
    const timeoutMs = durationMs('timeout', options.timeout ?? '30s')
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- starting

  #start(): Promise<void> {
    this.#starting ??= this.#startOnce()
    return this.#starting
  }

  async #startOnce(): Promise<void> {
    this.#state = 'starting'
    this.#plugins.compose()
    this.#settings.log.debug({ pipeline: this.inspect().toString() }, 'Starting')
    this.#runner.start()
    // Plugins' ready functions use Redis; without any the bus takes publishes at once and keeps them until Redis is there.
    if (this.#pluginCount > 0) {
      await this.#runner.usable()
      await this.#plugins.start(this.#runner, this.#publisher, this.#registry)
    }
    if (this.#state !== 'starting') throw closedError()
    this.#state = 'started'
    // In their order, before anything that is published from now on.
    this.#waiting.runAll()
    this.#isLive = true
  }

  /** At once if the plugins have started (or ask themselves, while they do); else in the order of the calls, when they have. */
  #whenLive<T>(call: () => Promise<T>): Promise<T> {
    try {
      this.#checkPublishing()
      this.#start().catch(() => undefined)
      if (this.#isLive || this.#plugins.insideReady()) return call()
    } catch (error) {
      return Promise.reject(error)
    }
    const { publishTimeoutMs } = this.#settings
    const waiting = this.#waiting.add(call, publishTimeoutMs, () => this.#runner.problem ?? this.#runner.unavailable())
    // Also if it has failed already: then nothing will run what waits.
    this.#start().catch((error: unknown) => this.#waiting.failAll(error))
    return waiting
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError()
  }

  #checkPublishing(): void {
    if (!this.#isPublishing) throw closedError()
  }

  // ---- the connection

  #connected(): void {
    this.#outages.up()
    if (this.#isConnected) return
    this.#isConnected = true
    this.#tell({ state: 'up' })
  }

  #disconnected(error: Error, problem: BuswayError | undefined): void {
    this.#outages.down(error, problem !== undefined)
    if (!this.#isConnected) return
    this.#isConnected = false
    this.#tell({ state: 'down', error })
  }

  #tell(event: BusEvents['connection']): void {
    this.#listeners.report('connection', event)
    this.#plugins.pipeline().emit('connection', event)
  }

  // ---- closing

  async #close(timeoutMs: number): Promise<CloseReport> {
    const until = performance.now() + timeoutMs
    const left = (): number => Math.max(0, until - performance.now())

    const reports = await this.#subscriptions.close(left)
    await within(left(), this.#plugins.stop())
    // Handlers and plugins may have published and asked until here.
    this.#requester.close(closedError())
    await within(left(), this.#watches.close(closedError()))
    this.#isPublishing = false
    this.#isLive = false
    this.#state = 'closing'
    this.#waiting.failAll(closedError())
    const { unanswered } = await this.#publisher.close(left())
    await this.#dependencies.relayer.close(left())
    // A server that has not answered until now is not waited for much longer.
    const farewellMs = Math.max(100, Math.min(500, left()))
    await Promise.all([this.#wakes, this.#runner, this.#durable].map((connection) => connection?.close(farewellMs)))
    this.#connections.close()
    this.#outages.stop()
    this.#state = 'closed'
    return {
      released: reports.reduce((sum, report) => sum + report.released, 0),
      abandoned: reports.flatMap((report) => report.abandoned),
      unanswered,
    }
  }
}

/** Waits no longer than that, whatever comes of it. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work, timeUp])
  clearTimeout(timer)
}

/**
 * Makes a bus. Nothing is sent before `ready()`, or the first publish or consume. Throws INVALID_OPTIONS and CONFIG_INVALID for what can be
 * seen to be wrong before connecting.
 *
 * @example
 * await using bus = createBus({ service: 'orders', topics, plugins: [dedupe()] })
 * await bus.publish('orders.paid', { id: '1' })
 */
export function createBus<T extends object = Record<string, unknown>, const Plugins extends readonly Plugin[] = []>(
  options: BusOptions<T, Plugins>,
): Bus<T, Plugins[number]['name']> {
  // The kernel is one bus for all topics and plugins; the caller's types say which it has.
  return new BusKernel(options as BusOptions<object, readonly Plugin[]>) as unknown as Bus<T, Plugins[number]['name']>
}
