/**
 * The namespace's registry: its topics, and the patterns that groups take part by.
 *
 * A subscriber writes its pattern and then reads the topics; who registers a topic then reads the patterns, and makes their groups in it before it
 * publishes. So whichever comes second finds the other, and nothing is published past a group that is subscribed.
 */
import {
  addPattern,
  type GroupPattern,
  groupPattern,
  partitionsField,
  patternField,
  REGISTRY,
  registerTopic,
  unregisterTopic,
} from '@busway/lua'
import type { PatternInfo } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { wrongNumber } from '../partitions/errors.js'
import type { BusRunner } from '../redis/bus-runner.js'
import { globOf, matcher } from './matching.js'

/** Topics that one look at the registry goes through. */
const PAGE = 1_000

export class TopicRegistry {
  readonly #runner: Pick<BusRunner, 'runRepeatable' | 'command'>
  readonly #meta: string
  readonly #topics: string
  readonly #patterns: string
  /** All of them come with every registration: the same ones again are not taken apart again. */
  readonly #matchers = new Map<string, (topic: string) => boolean>()

  constructor(runner: Pick<BusRunner, 'runRepeatable' | 'command'>, namespace: string) {
    this.#runner = runner
    this.#meta = `${namespace}:{${REGISTRY}}:meta`
    this.#topics = `${namespace}:{${REGISTRY}}:topics`
    this.#patterns = `${namespace}:{${REGISTRY}}:patterns`
  }

  /**
   * Resolves with the groups that take part in the topic by a pattern: to be declared before anything is published to it. Rejects with CONFIG_INVALID if it has
   * another number of partitions.
   */
  async register(topic: string, partitions: number): Promise<string[]> {
    const reply = await this.#runner.runRepeatable(registerTopic, REGISTRY, { topic, partitions })
    if (reply.partitions !== partitions) throw wrongNumber(topic, partitions, reply.partitions)
    const { patterns } = reply
    const groups = new Set<string>()
    for (const { group, pattern } of patterns) if (this.#matches(pattern, topic)) groups.add(group)
    return [...groups]
  }

  #matches(pattern: string, topic: string): boolean {
    let matches = this.#matchers.get(pattern)
    if (matches === undefined) {
      matches = matcher(pattern)
      this.#matchers.set(pattern, matches)
    }
    return matches(topic)
  }

  async unregister(topic: string): Promise<void> {
    await this.#runner.runRepeatable(unregisterTopic, REGISTRY, { topic })
  }

  /** How many partitions each topic has; 1 for one that is not there. */
  async partitions(topics: readonly string[]): Promise<number[]> {
    if (topics.length === 0) return []
    const counts = (await this.#runner.command('HMGET', [
      this.#meta,
      ...topics.map(partitionsField),
    ])) as (Buffer | null)[]
    return counts.map((count) => (count === null ? 1 : Number(String(count))))
  }

  async has(topic: string): Promise<boolean> {
    return (await this.#runner.command('SISMEMBER', [this.#topics, topic])) === 1
  }

  async all(): Promise<string[]> {
    const names = (await this.#runner.command('SMEMBERS', [this.#topics])) as Buffer[]
    return names.map(String).sort()
  }

  /** The topics that a pattern means, page by page; all that are registered from the first page to the last are among them, some perhaps twice. */
  async *meant(pattern: string): AsyncGenerator<string[]> {
    const matches = matcher(pattern)
    let cursor = '0'
    do {
      const args = [this.#topics, cursor, 'MATCH', globOf(pattern), 'COUNT', PAGE]
      const [next, names] = (await this.#runner.command('SSCAN', args)) as [Buffer, Buffer[]]
      yield names.map(String).filter(matches)
      cursor = String(next)
    } while (cursor !== '0')
  }

  /** Rejects with TOO_MANY_PATTERNS. */
  async addPattern(own: GroupPattern): Promise<void> {
    const { kept, count } = await this.#runner.runRepeatable(addPattern, REGISTRY, own)
    if (kept) return
    throw new BuswayError(
      'TOO_MANY_PATTERNS',
      `The namespace keeps ${count} patterns of groups already, and ${own.pattern} for ${own.group} would be one more: all are read whenever a topic is made. Remove those of groups that are gone: bus.patterns(), bus.removePattern(pattern, { group }).`,
      { details: { count } },
    )
  }

  /** Resolves with whether it was there. */
  async removePattern(own: GroupPattern): Promise<boolean> {
    return (await this.#runner.command('HDEL', [this.#patterns, patternField(own)])) === 1
  }

  async patterns(): Promise<PatternInfo[]> {
    const flat = (await this.#runner.command('HGETALL', [this.#patterns])) as Buffer[]
    const found: PatternInfo[] = []
    for (let i = 0; i + 1 < flat.length; i += 2)
      found.push({ ...groupPattern(String(flat[i])), since: new Date(Number(String(flat[i + 1]))) })
    return found.sort((a, b) => compare(a.pattern, b.pattern) || compare(a.group, b.group))
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
