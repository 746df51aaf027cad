/**
 * One `consume` call on a topic with partitions: a subscription of its own for each, which share how many messages run and are held.
 *
 * 1. `start` makes the topic, with the number of partitions that this bus says, then starts all of them. Of a topic of a pattern the number was read.
 * 2. It is ready when all are: from then on nothing is published past its group.
 * 3. Closed when all are. One that closes by itself, since the topic was deleted, takes the others with it.
 *
 * A batch is of one partition, since what a batch settles is one step in Redis; so `concurrency` of `consumeBatch` counts the batches of each.
 */
import type { CloseOptions, CloseReport } from '../api/index.js'
import { inexact } from '../partitions/errors.js'
import { partitionNames } from '../partitions/names.js'
import { PartitionRunner } from '../partitions/partition-runner.js'
import type { TopicRunner } from '../redis/bus-runner.js'
import type { AnyWork, ConsumeDependencies, OwnedSubscription } from '../seams.js'
import { durationMs } from '../validate/durations.js'
import { HOLD_CAP } from './lookahead.js'
import { watchLease } from './loop-watch.js'
import { Patience } from './patience.js'
import { type ConsumeSettings, checkConsumeOptions } from './settings.js'
import { Share } from './share.js'
import { Starting } from './starting.js'
import { createSubscription, type Membership, unlessFull } from './subscription.js'

/** Partitions for which messages are held ahead in full. */
const MOST_HOLDING = 8

export interface TopicDependencies extends ConsumeDependencies {
  /** To the server that has the topic, or the partition. */
  readonly runnerOf: (name: string) => TopicRunner
}

/** Of a topic that has so many partitions. Throws as `createSubscription` does, and CONFIG_INVALID for what cannot be kept over several. */
export function createTopicSubscription(
  dependencies: TopicDependencies,
  topic: string,
  partitions: number,
  work: AnyWork,
  options: object,
  membership?: Membership,
): OwnedSubscription {
  return partitions === 1
    ? createSubscription({ ...dependencies, runner: dependencies.runnerOf(topic) }, topic, work, options, membership)
    : new PartitionedSubscription(dependencies, topic, partitions, work, options, membership)
}

class PartitionedSubscription implements OwnedSubscription {
  readonly topic: string
  readonly group: string
  readonly closed: Promise<void>

  readonly #dependencies: TopicDependencies
  readonly #membership: Membership | undefined
  readonly #settings: ConsumeSettings
  readonly #parts: readonly OwnedSubscription[]
  readonly #starting = new Starting()
  readonly #leaving = new AbortController()
  #isStarted = false
  #closing: Promise<CloseReport> | undefined
  #resolveClosed: () => void = () => undefined

  constructor(
    dependencies: TopicDependencies,
    topic: string,
    count: number,
    work: AnyWork,
    options: object,
    membership: Membership | undefined,
  ) {
    const settings = checkConsumeOptions(dependencies.service, options, dependencies.pipeline(), work.kind)
    checkExact(dependencies, topic, count, settings)
    this.topic = topic
    this.group = settings.group
    this.#dependencies = dependencies
    this.#membership = membership
    this.#settings = settings
    const share = membership?.share ?? new Share(sharedOf(settings, count))
    this.#parts = partitionNames(topic, count).map((partition, index) =>
      createSubscription(ofPartition(dependencies, partition), topic, work, options, {
        ...(membership?.isThere !== undefined && { isThere: membership.isThere }),
        share,
        othersMs: () => count + (membership?.othersMs() ?? 0),
        partitions: count,
        isSilent: index > 0,
      }),
    )
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    for (const part of this.#parts) void part.closed.then(() => this.close())
  }

  get ready(): Promise<void> {
    return this.#starting.ready
  }

  start(): void {
    if (this.#isStarted || this.#closing !== undefined) return
    this.#isStarted = true
    void this.#live()
  }

  fail(error: Error): void {
    this.#starting.failed(error)
  }

  pause(): void {
    for (const part of this.#parts) part.pause()
  }

  resume(): void {
    for (const part of this.#parts) part.resume()
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    if (options.timeout !== undefined) durationMs('timeout', options.timeout)
    const reports = this.#parts.map((part) => part.close(options))
    this.#closing ??= this.#close(reports)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #live(): Promise<void> {
    const { log, runner } = this.#dependencies
    const { topic, group } = this
    const logger = log.child({ topic, group })
    const leaveProblems = this.#starting.heed(runner)
    if (this.#membership === undefined) await this.#make(logger)
    const unwatch = this.#membership === undefined ? watchLease(this.#settings.leaseMs, logger) : (): void => undefined
    for (const part of this.#parts) part.start()
    Promise.all(this.#parts.map(({ ready }) => ready)).then(
      () => this.#starting.succeeded(),
      (error: Error) => this.#starting.failed(error),
    )
    await this.closed
    unwatch()
    leaveProblems()
  }

  /** Until it succeeds, or the subscription is being closed. Told here once, rather than by each partition. */
  async #make(log: ConsumeDependencies['log']): Promise<void> {
    const patience = new Patience()
    while (!this.#leaving.signal.aborted) {
      try {
        return await this.#dependencies.publisher.ensureTopic(this.topic).catch(unlessFull)
      } catch (error) {
        await this.#starting.troubled(error, log, patience, this.#leaving.signal)
      }
    }
  }

  async #close(closing: readonly Promise<CloseReport>[]): Promise<CloseReport> {
    this.#leaving.abort()
    this.#starting.closed(this.topic)
    const reports = await Promise.all(closing)
    this.#resolveClosed()
    return {
      released: reports.reduce((sum, { released }) => sum + released, 0),
      abandoned: reports.flatMap(({ abandoned }) => abandoned),
      unanswered: 0,
    }
  }
}

/** Throws CONFIG_INVALID; guards of plugins do as well. */
function checkExact(
  { pipeline }: TopicDependencies,
  topic: string,
  partitions: number,
  { group, groupConcurrency, options }: ConsumeSettings,
): void {
  if (groupConcurrency !== undefined)
    throw inexact(
      topic,
      'groupConcurrency',
      'Limit each process (concurrency), or take a topic without partitions for what has to be limited.',
    )
  for (const guard of pipeline().guards.fetch) guard.args({ topic, group, options, partitions })
}

/** A fetch from one of many partitions is to bring as much as one from a topic by itself. */
const sharedOf = ({ batch, concurrency, lookaheadMs }: ConsumeSettings, count: number) => ({
  concurrency: batch === undefined ? concurrency : concurrency * count,
  lookaheadMs,
  holdCap: HOLD_CAP * Math.min(count, MOST_HOLDING),
})

/** What a subscription is made from, as if its partition were the topic. */
function ofPartition(dependencies: TopicDependencies, partition: string): ConsumeDependencies {
  const { runnerOf, wakes, relayer } = dependencies
  return {
    ...dependencies,
    runner: new PartitionRunner(runnerOf(partition), partition),
    wakes: {
      busId: wakes.busId,
      subscribe: (_topic, listener) => wakes.subscribe(partition, listener),
      onBack: (listener) => wakes.onBack(listener),
    },
    relayer: {
      kick: () => relayer.kick(partition),
      relayed: () => relayer.relayed(partition),
      close: (timeoutMs) => relayer.close(timeoutMs),
    },
  }
}
