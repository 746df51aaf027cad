/**
 * One `consume` call over a pattern: a subscription of its own for each topic that the pattern means, those that come later included.
 *
 * 1. `start` listens to news of topics, so that none is missed, writes the pattern, then goes through the registry. Who registers a topic after that
 *    makes the group in it before it publishes; the news brings the topic here.
 * 2. A topic is joined unless another subscription of this bus has it in this group; a few at a time, since there may be thousands.
 * 3. When the subscribed connection was gone, news may have been missed: 1. again.
 * 4. A topic that is deleted is left, and joined again if it is begun anew.
 */
import type { CloseOptions, CloseReport, Logger } from '../api/index.js'
import type { WakeSubscriber } from '../redis/wakes.js'
import type { AnyWork, OwnedSubscription } from '../seams.js'
import { matcher } from '../topics/matching.js'
import type { TopicRegistry } from '../topics/registry.js'
import { durationMs } from '../validate/durations.js'
import { invalidOption } from '../validate/options.js'
import { watchLease } from './loop-watch.js'
import { createTopicSubscription, type TopicDependencies } from './partitioned-subscription.js'
import { Patience } from './patience.js'
import { checkConsumeOptions } from './settings.js'
import { Share } from './share.js'
import { Starting } from './starting.js'
import { checkHandler, type Membership } from './subscription.js'

/** Topics joined at once. */
const MOST_OPENING = 64

export interface PatternDependencies extends TopicDependencies {
  readonly wakes: WakeSubscriber
  readonly registry: TopicRegistry
  /** Whether this subscription, rather than another of this bus and group, takes part in the topic. */
  readonly mayJoin: (subscription: PatternSubscription, topic: string) => boolean
}

export class PatternSubscription implements OwnedSubscription {
  /** The pattern. */
  readonly topic: string
  readonly group: string
  readonly closed: Promise<void>
  readonly means: (topic: string) => boolean

  readonly #dependencies: PatternDependencies
  readonly #work: AnyWork
  readonly #options: object
  readonly #leaseMs: number
  readonly #share: Share
  readonly #log: Logger
  readonly #starting = new Starting()
  readonly #leaving = new AbortController()
  /** All that the pattern means, with their subscriptions where it is this one that takes part. */
  readonly #topics = new Map<string, OwnedSubscription | undefined>()
  /** Topics of which there was news while they were joined: should they be found deleted, they may have been begun anew. */
  readonly #news = new Set<string>()
  /** Topics to be joined. */
  readonly #waiting: { readonly topic: string; readonly joined: () => void }[] = []
  #opening = 0
  #isStarted = false
  #isPaused = false
  #isListing = false
  #mustListAgain = false
  #closing: Promise<CloseReport> | undefined
  #resolveClosed: () => void = () => undefined

  /** Checks everything and throws INVALID_OPTIONS or INVALID_GROUP; nothing is sent before `start`. */
  constructor(dependencies: PatternDependencies, pattern: string, work: AnyWork, options: object) {
    this.topic = pattern
    this.means = matcher(pattern)
    this.#dependencies = dependencies
    this.#work = work
    // Topics that come later are consumed as it was asked for now.
    this.#options = { ...options }
    checkHandler(work)
    const settings = checkConsumeOptions(dependencies.service, options, dependencies.pipeline(), work.kind)
    const { group } = settings
    if (settings.fromBeginning)
      throw invalidOption(
        'from',
        'beginning',
        'an option of one topic, not of a pattern: its groups are made with their topics',
      )
    this.group = group
    this.#leaseMs = settings.leaseMs
    this.#share = new Share(settings)
    this.#log = dependencies.log.child({ topic: pattern, group })
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  get ready(): Promise<void> {
    return this.#starting.ready
  }

  start(): void {
    if (this.#isStarted || this.#isLeaving) return
    this.#isStarted = true
    void this.#live()
  }

  fail(error: Error): void {
    this.#starting.failed(error)
  }

  pause(): void {
    this.#isPaused = true
    for (const subscription of this.#topics.values()) subscription?.pause()
  }

  resume(): void {
    this.#isPaused = false
    for (const subscription of this.#topics.values()) subscription?.resume()
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    if (options.timeout !== undefined) durationMs('timeout', options.timeout)
    const reports = this.#subscriptions().map((subscription) => subscription.close(options))
    this.#closing ??= this.#close(reports)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Which subscription of this bus has the topic may have changed; without a name, of any. */
  review(topic?: string): void {
    if (topic === undefined) for (const each of this.#topics.keys()) void this.#review(each)
    else void this.#review(topic)
  }

  // ---- which topics there are

  get #isLeaving(): boolean {
    return this.#leaving.signal.aborted
  }

  async #live(): Promise<void> {
    const { wakes, runner } = this.#dependencies
    const leaveProblems = this.#starting.heed(runner)
    const leaveNews = await this.#persist(() => wakes.subscribeTopics((topic) => this.#told(topic)))
    const unwatch = watchLease(this.#leaseMs, this.#log)
    const leaveBack = wakes.onBack(() => void this.#list())
    await this.#list()
    this.#starting.succeeded()
    await this.closed
    unwatch()
    leaveBack()
    leaveNews?.()
    leaveProblems()
  }

  #told(topic: string): void {
    if (!this.means(topic)) return
    if (this.#topics.get(topic) !== undefined) this.#news.add(topic)
    void this.#join(topic)
  }

  /** Resolves when all that there are have been joined. */
  async #list(): Promise<void> {
    if (this.#isListing) {
      this.#mustListAgain = true
      return
    }
    this.#isListing = true
    do {
      this.#mustListAgain = false
      const joined = await this.#persist(() => this.#listOnce())
      await Promise.all(joined ?? [])
    } while (this.#mustListAgain && !this.#isLeaving)
    this.#isListing = false
  }

  /** The pattern is written each time: what Redis has forgotten of the topics it may have forgotten of the patterns. */
  async #listOnce(): Promise<Promise<void>[]> {
    const { registry } = this.#dependencies
    await registry.addPattern({ group: this.group, pattern: this.topic })
    const joined: Promise<void>[] = []
    for await (const topics of registry.meant(this.topic)) for (const topic of topics) joined.push(this.#join(topic))
    return joined
  }

  /** Until it succeeds; resolves with nothing once the subscription is being closed. */
  async #persist<T>(act: () => Promise<T>): Promise<T | undefined> {
    const patience = new Patience()
    while (!this.#isLeaving) {
      try {
        return await act()
      } catch (error) {
        await this.#starting.troubled(error, this.#log, patience, this.#leaving.signal)
      }
    }
    return undefined
  }

  // ---- taking part in one

  /** Resolves when this one takes part in it, or another does. */
  #join(topic: string): Promise<void> {
    if (!this.#topics.has(topic)) this.#topics.set(topic, undefined)
    return this.#review(topic)
  }

  async #review(topic: string): Promise<void> {
    if (this.#isLeaving || !this.#topics.has(topic)) return
    const subscription = this.#topics.get(topic)
    if (!this.#dependencies.mayJoin(this, topic)) {
      void subscription?.close()
      return
    }
    if (subscription !== undefined) return
    await new Promise<void>((joined) => {
      this.#waiting.push({ topic, joined })
      this.#openNext()
    })
  }

  #openNext(): void {
    while (this.#opening < MOST_OPENING) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const { topic, joined } = next
      const isFree = this.#topics.has(topic) && this.#topics.get(topic) === undefined
      if (this.#isLeaving || !isFree || !this.#dependencies.mayJoin(this, topic)) {
        joined()
        continue
      }
      this.#opening++
      void this.#open(topic).finally(() => {
        this.#opening--
        joined()
        this.#openNext()
      })
    }
  }

  async #open(topic: string): Promise<void> {
    const { registry } = this.#dependencies
    const [partitions = 1] = (await this.#persist(() => registry.partitions([topic]))) ?? []
    if (this.#isLeaving || !this.#dependencies.mayJoin(this, topic)) return
    let isGone = false
    const membership: Membership = {
      share: this.#share,
      // Measured: 0.15 ms for each.
      othersMs: () => this.#topics.size,
      isThere: async () => {
        isGone = !(await registry.has(topic))
        return !isGone
      },
    }
    const subscription = this.#subscription(topic, partitions, membership)
    if (subscription === undefined) return
    this.#topics.set(topic, subscription)
    this.#news.delete(topic)
    void subscription.closed.then(() => this.#left(topic, isGone))
    if (this.#isPaused) subscription.pause()
    subscription.start()
    await subscription.ready.catch((error: Error) => {
      // One that is closed again was not needed, or is told of by the closing of this one.
      if ((error as { code?: unknown }).code !== 'BUS_CLOSED') this.#starting.failed(error)
    })
  }

  /** `undefined` if what is asked of it cannot be kept over its partitions. */
  #subscription(topic: string, partitions: number, membership: Membership): OwnedSubscription | undefined {
    try {
      return createTopicSubscription(this.#dependencies, topic, partitions, this.#work, this.#options, membership)
    } catch (error) {
      const { message, code } = error as Error & { code?: unknown }
      this.#log.error({ code, topic }, `The pattern leaves this topic out: ${message}`)
      this.#starting.failed(error as Error)
      return undefined
    }
  }

  #left(topic: string, isGone: boolean): void {
    this.#topics.set(topic, undefined)
    if (isGone && !this.#news.delete(topic)) this.#topics.delete(topic)
    else void this.#review(topic)
  }

  // ---- close

  #subscriptions(): OwnedSubscription[] {
    return [...this.#topics.values()].filter((subscription) => subscription !== undefined)
  }

  async #close(closing: readonly Promise<CloseReport>[]): Promise<CloseReport> {
    this.#leaving.abort()
    this.#starting.closed(this.topic)
    for (const { joined } of this.#waiting.splice(0)) joined()
    const reports = await Promise.all(closing)
    this.#resolveClosed()
    return {
      released: reports.reduce((sum, { released }) => sum + released, 0),
      abandoned: reports.flatMap(({ abandoned }) => abandoned),
      unanswered: 0,
    }
  }
}
