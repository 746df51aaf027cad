/** The producers of a publisher: one for each topic, and for each kind of durability that publishes to it ask for. */
import type { BusEvents, Logger, StandardSchemaV1, TopicDefinition } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { partitionNames } from '../partitions/names.js'
import { PartitionRunner } from '../partitions/partition-runner.js'
import type { BusRunner } from '../redis/bus-runner.js'
import type { WakeSubscriber } from '../redis/wakes.js'
import type { Pipeline } from '../seams.js'
import { type Catalog, isChecking, publishesWait, settingsOf } from '../topics/index.js'
import type { RoomNews } from './backpressure.js'
import { Confirmation, kindOf, type Wanted } from './durability.js'
import { PartitionedProducer } from './partitioned-producer.js'
import { Producer } from './producer.js'

export interface OutletSettings {
  readonly service: string
  readonly runner: BusRunner
  /** For publishes that wait for a confirmation: a connection of its own, which they hold up. Made when it is first asked for. */
  readonly durableRunner: () => BusRunner
  readonly wakes: Pick<WakeSubscriber, 'busId' | 'subscribeRoom' | 'onBack'>
  readonly catalog: Catalog
  /** Composed: called after the bus has started. */
  readonly pipeline: () => Pipeline
  readonly timeoutMs: number
  readonly log: Logger
  readonly report: <E extends keyof BusEvents>(event: E, payload: BusEvents[E]) => void
  /** The topic's outbox has entries, which somebody has to relay. */
  readonly onOutbox: (topic: string) => void
}

export interface OutletHooks {
  /** Adds the topic to the registry. Resolves with the groups that it has from its first publish on. */
  readonly register: (topic: string) => Promise<readonly string[]>
  readonly onRollback: (topic: string) => void
}

/** One topic of this publisher. */
export interface Outlet {
  readonly producer: Producer | PartitionedProducer
  /** The same, if the topic has partitions. */
  readonly partitions: PartitionedProducer | undefined
  readonly schema: StandardSchemaV1 | undefined
}

export class Outlets {
  readonly #settings: OutletSettings
  readonly #hooks: OutletHooks
  readonly #plain = new Map<string, Outlet>()
  readonly #durable = new Map<string, Outlet>()

  constructor(settings: OutletSettings, hooks: OutletHooks) {
    this.#settings = settings
    this.#hooks = hooks
  }

  /** Throws INVALID_TOPIC. */
  of(topic: string, wanted?: Wanted): Outlet {
    if (wanted === undefined) return this.#plain.get(topic) ?? this.#make(topic, undefined, this.#plain, topic)
    const name = `${topic} ${kindOf(wanted)}`
    return this.#durable.get(name) ?? this.#make(topic, wanted, this.#durable, name)
  }

  get producers(): Producer[] {
    return [...this.#plain.values(), ...this.#durable.values()].flatMap(({ producer }) =>
      producer instanceof PartitionedProducer ? producer.producers : [producer],
    )
  }

  #make(topic: string, wanted: Wanted | undefined, among: Map<string, Outlet>, name: string): Outlet {
    const catalog: Catalog = this.#settings.catalog
    catalog.check(topic)
    const definition = catalog.definition(topic)
    const names = partitionNames(topic, catalog.partitions(topic))
    const make = (partition: string) => this.#producer(topic, partition, definition, wanted)
    const partitions = names.length === 1 ? undefined : new PartitionedProducer(topic, names, make)
    const schema = definition?.body
    const outlet = {
      producer: partitions ?? make(topic),
      partitions,
      schema: schema !== undefined && isChecking(schema) ? schema : undefined,
    }
    among.set(name, outlet)
    return outlet
  }

  /** `partition`: what the topic, or the part of it that this one publishes to, is called in Redis. */
  #producer(
    topic: string,
    partition: string,
    definition: TopicDefinition | undefined,
    wanted: Wanted | undefined,
  ): Producer {
    const { runner: plainRunner, durableRunner, service, timeoutMs, log, report, onOutbox } = this.#settings
    const guards = this.#settings.pipeline().guards.publish
    const place = (wanted === undefined ? plainRunner : durableRunner()).of(partition)
    const runner = partition === topic ? place : new PartitionRunner(place, partition)
    const confirmation = wanted === undefined ? undefined : new Confirmation(topic, runner, wanted)
    return new Producer({
      topic,
      source: service,
      topicSettings: settingsOf(definition),
      roomNews: publishesWait(definition) ? this.#roomNews(partition) : undefined,
      timeoutMs,
      runner,
      confirmation,
      guardKeys: guards.length === 0 ? undefined : guards.map((guard) => guard.keys(topic, '')),
      register: async () => {
        await confirmation?.check()
        return this.#hooks.register(topic)
      },
      onGuardError: (guard, error) => {
        const failure = new BuswayError(
          'PLUGIN_MISUSE',
          `The guard ${guard} failed to apply after a publish to ${topic} was accepted: ${error}`,
        )
        log.error({ topic, guard, err: failure }, failure.message)
        report('error', failure)
      },
      onRollback: () => {
        this.#hooks.onRollback(topic)
        log.warn(
          { topic },
          `Redis has forgotten publishes to ${topic} that it had confirmed (a failover, or a lost second); what was unanswered is sent again`,
        )
        report('rollback', { topic, side: 'producer' })
      },
      onOutbox: () => onOutbox(partition),
    })
  }

  #roomNews(partition: string): RoomNews {
    const { wakes } = this.#settings
    return {
      busId: wakes.busId,
      subscribe: (listener) => wakes.subscribeRoom(partition, listener),
      onBack: (listener) => void wakes.onBack(listener),
    }
  }
}
