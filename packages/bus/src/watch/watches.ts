/** Whom this bus tells what happens to messages: readers of `bus.events`, and those that wait for a message's end. One subscription for each topic. */
import type { EventsOptions, Settled, SettledOptions, TopicEvents } from '../api/index.js'
import type { BuswayError } from '../errors/index.js'
import type { WakeSubscriber } from '../redis/wakes.js'
import { checkInteger, checkNames, checkOptionsObject } from '../validate/options.js'
import { EventStream } from './event-stream.js'
import { type SettledParts, SettledWaits } from './settled.js'
import { type Listener, TopicWatch, type WatchParts } from './topic-watch.js'

const BUFFER = 1_000
/** Who waits for one message will soon wait for the next. */
const LINGER_MS = 5_000

export interface WatchesParts extends WatchParts, Omit<SettledParts, 'watches'> {
  readonly runner: WatchParts['runner'] & SettledParts['runner']
  readonly wakes: WatchParts['wakes'] & Pick<WakeSubscriber, 'hold'>
}

/** A place among those that are told. */
export interface Place {
  readonly ready: Promise<void>
  leave(): void
}

export class Watches {
  readonly #parts: WatchesParts
  readonly #topics = new Map<string, TopicWatch>()
  readonly #lingering = new Map<string, NodeJS.Timeout>()
  readonly #streams = new Set<EventStream>()
  readonly #waits: SettledWaits

  constructor(parts: WatchesParts) {
    this.#parts = parts
    this.#waits = new SettledWaits({ ...parts, watches: this })
  }

  /** As `bus.events`; the topic's name is checked. */
  events(topic: string, options?: EventsOptions): TopicEvents {
    checkOptionsObject('events', options)
    checkNames('events', options ?? {}, ['buffer'])
    const most = checkInteger('buffer', options?.buffer ?? BUFFER, 1, 1_000_000)
    const stream: EventStream = new EventStream(topic, most, (listener) => {
      const watch = this.#watchOf(topic)
      const leave = watch.join(listener)
      const release = this.#parts.wakes.hold()
      return {
        ready: watch.ready,
        leave: async () => {
          leave()
          this.#streams.delete(stream)
          await this.#stopIdle(topic, watch)
          release()
        },
      }
    })
    this.#streams.add(stream)
    return stream
  }

  /** As `TopicAdmin.settled`; the topic's name is checked. */
  settled(topic: string, id: string, options?: SettledOptions): Promise<Settled> {
    return this.#waits.settled(topic, id, options)
  }

  /** Whether what happens to its messages is heard already. */
  isListening(topic: string): boolean {
    return this.#topics.get(topic)?.isListening === true
  }

  /** Tells what happens to one message. */
  wait(topic: string, id: string, listener: Listener): Place {
    const watch = this.#watchOf(topic)
    const leave = watch.join(listener, id)
    return {
      ready: watch.ready,
      leave: () => {
        leave()
        if (watch.isIdle && !watch.isOver) this.#linger(topic, watch)
      },
    }
  }

  /** Readers come to an end, once they were told what had happened; those that wait are told the error. */
  async close(error: BuswayError): Promise<void> {
    this.#waits.close(error)
    for (const timer of this.#lingering.values()) clearTimeout(timer)
    this.#lingering.clear()
    const watches = [...this.#topics.values()]
    this.#topics.clear()
    await Promise.all(watches.map((watch) => watch.stop()))
    for (const stream of this.#streams) stream.end()
  }

  #watchOf(topic: string): TopicWatch {
    this.#lingerNoMore(topic)
    let watch = this.#topics.get(topic)
    if (watch === undefined) {
      watch = new TopicWatch(topic, this.#parts)
      this.#topics.set(topic, watch)
    }
    return watch
  }

  #linger(topic: string, watch: TopicWatch): void {
    this.#lingerNoMore(topic)
    const timer = setTimeout(() => void this.#stopIdle(topic, watch), LINGER_MS)
    timer.unref()
    this.#lingering.set(topic, timer)
  }

  #lingerNoMore(topic: string): void {
    clearTimeout(this.#lingering.get(topic))
    this.#lingering.delete(topic)
  }

  async #stopIdle(topic: string, watch: TopicWatch): Promise<void> {
    if (!watch.isIdle || watch.isOver) return
    this.#lingerNoMore(topic)
    this.#topics.delete(topic)
    await watch.stop()
  }
}
