/**
 * Listening to what happens to one topic's messages, for all that want to know in this bus.
 *
 * 1. The first to join subscribes to the channel, then says in Redis that somebody watches: from there on nothing is missed. So it is done with each partition,
 *    if the topic has any.
 * 2. That is said again, three times before its time is over. If Redis had forgotten it, something may have been missed, and all are told so; as when the
 *    subscribed connection was gone.
 * 3. When the last has left, it unsubscribes and takes back what it said. Then it is over; who comes later makes another.
 */
import { watch } from '@busway/lua'
import type { Logger, TopicEvent } from '../api/index.js'
import { Patience } from '../consume/patience.js'
import { BuswayError } from '../errors/index.js'
import type { WakeSubscriber } from '../redis/wakes.js'
import type { ScriptRunner } from '../seams.js'
import { readTold } from './told.js'

/** How long others take it for watched after its last word. */
const WATCH_MS = 60_000

/** Where a topic is in Redis: itself, or its partitions. What this bus does not know it asks for. */
export type PlacesOf = (topic: string) => readonly string[] | Promise<readonly string[]>

export interface WatchParts {
  readonly runner: Pick<ScriptRunner, 'run' | 'runRepeatable'>
  readonly wakes: Pick<WakeSubscriber, 'subscribeEvents' | 'onBack'>
  readonly log: Logger
  readonly placesOf: PlacesOf
}

export interface Listener {
  event(event: TopicEvent): void
  /** Something may have happened that nobody will tell. */
  missed(): void
}

export class TopicWatch {
  /** Nobody joins any more. */
  isOver = false
  /** Resolves when nothing is missed from then on. Rejects when Redis cannot be used as it is, or it is over before. */
  readonly ready: Promise<void>

  readonly #topic: string
  readonly #parts: WatchParts
  readonly #everything = new Set<Listener>()
  /** Message id -> who waits for its events. */
  readonly #byId = new Map<string, Set<Listener>>()
  readonly #stopping = new AbortController()
  readonly #renewMs: number
  #settleReady: { resolve: () => void; reject: (error: Error) => void } = { resolve: nothing, reject: nothing }
  /** Of each place whose channel is subscribed to. */
  readonly #leave = new Map<string, () => Promise<void>>()
  #leaveBack: () => void = nothing
  #renewTimer: NodeJS.Timeout | undefined
  #isListening = false
  #stopped: Promise<void> | undefined

  constructor(topic: string, parts: WatchParts, watchMs = WATCH_MS) {
    this.#topic = topic
    this.#parts = parts
    this.#renewMs = watchMs / 3
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    this.ready.catch(nothing)
    void this.#start()
  }

  /** Nothing is missed now. */
  get isListening(): boolean {
    return this.#isListening
  }

  get isIdle(): boolean {
    return this.#everything.size === 0 && this.#byId.size === 0
  }

  /** `id`: only of that message. The function that it answers leaves. */
  join(listener: Listener, id?: string): () => void {
    if (id === undefined) {
      this.#everything.add(listener)
      return () => this.#everything.delete(listener)
    }
    const ofId = this.#byId.get(id) ?? new Set()
    this.#byId.set(id, ofId.add(listener))
    return () => {
      ofId.delete(listener)
      if (ofId.size === 0) this.#byId.delete(id)
    }
  }

  /** Resolves when nobody pays for it any more; what came until then was told. Never rejects. */
  stop(): Promise<void> {
    this.isOver = true
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #start(): Promise<void> {
    const { log } = this.#parts
    const patience = new Patience()
    let trouble: string | undefined
    while (!this.isOver) {
      try {
        await this.#listen()
        return
      } catch (error) {
        if (this.isOver) return
        if (isClosed(error)) {
          this.#settleReady.reject(error)
          return
        }
        if (!mayPass(error)) {
          const { message } = error as Error
          if (message !== trouble) log.warn({ topic: this.#topic }, `The topic cannot be watched yet: ${message}`)
          trouble = message
          this.#settleReady.reject(error as Error)
        }
        await patience.pause(this.#stopping.signal)
      }
    }
  }

  async #listen(): Promise<void> {
    const { wakes, placesOf } = this.#parts
    const known = placesOf(this.#topic)
    const places = known instanceof Promise ? await known : known
    await Promise.all(places.map((place) => this.#subscribe(place)))
    if (this.isOver) return
    await Promise.all(places.map((place) => this.#watch(place)))
    if (this.isOver) return
    this.#leaveBack = wakes.onBack(() => {
      this.#tellMissed()
      void this.#renew()
    })
    this.#renewTimer = setInterval(() => void this.#renew(), this.#renewMs)
    this.#renewTimer.unref()
    this.#isListening = true
    this.#settleReady.resolve()
  }

  async #subscribe(place: string): Promise<void> {
    if (this.isOver || this.#leave.has(place)) return
    const leave = await this.#parts.wakes.subscribeEvents(place, (text) => this.#heard(text))
    // It was waited for until Redis was there; meanwhile nobody wanted it any more.
    if (this.isOver) await leave()
    else this.#leave.set(place, leave)
  }

  #watch(place: string, timeoutMs?: number): Promise<{ readonly wasWatched: boolean }> {
    return this.#parts.runner.runRepeatable(watch, place, { forMs: 3 * this.#renewMs }, timeoutMs)
  }

  async #renew(): Promise<void> {
    const { log } = this.#parts
    try {
      const renewed = await Promise.all([...this.#leave.keys()].map((place) => this.#watch(place, this.#renewMs)))
      if (!renewed.every(({ wasWatched }) => wasWatched)) this.#tellMissed()
    } catch (error) {
      if (!this.isOver && !isClosed(error))
        log.debug({ topic: this.#topic, error: String(error) }, 'Watching could not be renewed; it is tried again')
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#renewTimer)
    this.#leaveBack()
    this.#settleReady.reject(new BuswayError('BUS_CLOSED', `Watching ${this.#topic} was ended before it began`))
    const left = [...this.#leave]
    this.#leave.clear()
    await Promise.all(left.map(([, leave]) => leave()))
    this.#isListening = false
    // If that fails, whoever tells something that nobody hears does the same.
    await Promise.all(left.map(([place]) => this.#parts.runner.run(watch, place, { forMs: 0 }).catch(nothing)))
  }

  #heard(text: string): void {
    const events = readTold(this.#topic, text)
    if (events === undefined) {
      this.#tellMissed()
      return
    }
    for (const event of events) {
      for (const listener of this.#everything) listener.event(event)
      const ofId = event.type === 'missed' ? undefined : this.#byId.get(event.id)
      if (ofId !== undefined) for (const listener of ofId) listener.event(event)
    }
  }

  #tellMissed(): void {
    for (const listener of this.#everything) listener.missed()
    for (const ofId of [...this.#byId.values()]) for (const listener of ofId) listener.missed()
  }
}

const nothing = (): void => undefined
const isClosed = (error: unknown): error is BuswayError => error instanceof BuswayError && error.code === 'BUS_CLOSED'
const mayPass = (error: unknown): boolean => error instanceof BuswayError && error.code === 'REDIS_UNAVAILABLE'
