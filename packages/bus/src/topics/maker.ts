/** Sees to it that topics are there before they are used: registered, and declared with their groups and settings, each partition of them. */
import { declare } from '@busway/lua'
import { wrongNumber } from '../partitions/errors.js'
import { partitionNames, partitionOf } from '../partitions/names.js'
import type { ScriptRunner } from '../seams.js'
import type { Catalog } from './catalog.js'
import type { TopicRegistry } from './registry.js'
import { settingsOf } from './settings.js'

export interface TopicMakerParts {
  readonly runner: Pick<ScriptRunner, 'runRepeatable'>
  readonly catalog: Catalog
  readonly registry: TopicRegistry
}

/** A topic that is known to be there, with so many partitions. */
interface Ensured {
  readonly partitions: number
  readonly ensured: Promise<void>
  readonly atMs: number
}

/** Redis remembers for a day that a topic was deleted; what was done longer ago is not relied on. */
const ENSURED_MS = 3_600_000

export class TopicMaker {
  readonly #parts: TopicMakerParts
  readonly #ensured = new Map<string, Ensured>()
  /** Topics that have as many partitions as this bus says. */
  readonly #counted = new Set<string>()

  constructor(parts: TopicMakerParts) {
    this.#parts = parts
  }

  /** As `Publisher.ensureTopic`. */
  ensure(name: string, count?: number): Promise<void> {
    const partition = partitionOf(name)
    const topic = partition?.topic ?? name
    const partitions = partition?.count ?? count ?? this.#parts.catalog.partitions(name)
    const known = this.#ensured.get(topic)
    if (known?.partitions === partitions && performance.now() - known.atMs < ENSURED_MS) return known.ensured
    const ensured = this.#declare(topic, partitions)
    this.#ensured.set(topic, { partitions, ensured, atMs: performance.now() })
    ensured.catch(() => this.#ensured.delete(topic))
    return ensured
  }

  /** It, or the whole of which it is a partition, was deleted or may have been. */
  forget(name: string): void {
    const topic = partitionOf(name)?.topic ?? name
    this.#ensured.delete(topic)
    this.#counted.delete(topic)
  }

  async unregister(topic: string): Promise<void> {
    this.forget(topic)
    await this.#parts.registry.unregister(topic)
  }

  /**
   * Resolves with the groups that the topic has from its first publish on: those it is defined with, and those of patterns. Rejects with CONFIG_INVALID if it
   * has another number of partitions.
   */
  async register(topic: string, partitions = this.#parts.catalog.partitions(topic)): Promise<string[]> {
    const { registry, catalog } = this.#parts
    const groups = await registry.register(topic, partitions)
    return [...(catalog.definition(topic)?.groups ?? []), ...groups]
  }

  /** Whether it was found to have as many partitions as this bus says. */
  isCounted(topic: string): boolean {
    return this.#counted.has(topic)
  }

  /** Rejects with CONFIG_INVALID if the topic has another number of partitions than this bus says. One that is not there yet is made only if it is to have some. */
  async count(topic: string): Promise<void> {
    const { catalog, registry } = this.#parts
    const says = catalog.partitions(topic)
    const [has = 1] = says === 1 ? await registry.partitions([topic]) : [says]
    if (has !== says) throw wrongNumber(topic, says, has)
    if (says > 1) await this.ensure(topic)
    this.#counted.add(topic)
  }

  async #declare(topic: string, partitions: number): Promise<void> {
    const { runner, catalog } = this.#parts
    const settings = settingsOf(catalog.definition(topic))
    const groups = await this.register(topic, partitions)
    const request = { groups, ...(settings === undefined ? {} : { settings }) }
    await Promise.all(partitionNames(topic, partitions).map((name) => runner.runRepeatable(declare, name, request)))
    // A deletion that was under way may have taken it out of the registry in between.
    await this.register(topic, partitions)
  }
}
