/** One `bus.events` call: what its reader reads, from when it listens until it is closed. */
import type { TopicEvent, TopicEvents } from '../api/index.js'
import { EventBuffer } from './event-buffer.js'
import type { Listener } from './topic-watch.js'

type Result = IteratorResult<TopicEvent, undefined>
const over: Result = { done: true, value: undefined }

export class EventStream implements TopicEvents, Listener {
  readonly ready: Promise<void>
  readonly #buffer: EventBuffer
  /** Calls of `next` that wait. */
  readonly #waiting: ((result: Result) => void)[] = []
  #leave: (() => Promise<void>) | undefined
  #closing: Promise<void> | undefined
  #isOver = false

  /** `join` begins to listen: answers when it does, and how to leave. */
  constructor(
    topic: string,
    most: number,
    join: (listener: Listener) => { ready: Promise<void>; leave: () => Promise<void> },
  ) {
    this.#buffer = new EventBuffer(topic, most)
    const { ready, leave } = join(this)
    this.ready = ready
    this.ready.catch(() => undefined)
    this.#leave = leave
  }

  // ---- what it is told

  event(event: TopicEvent): void {
    if (this.#isOver) return
    this.#buffer.push(event)
    this.#serve()
  }

  missed(): void {
    if (this.#isOver) return
    this.#buffer.pushMissed()
    this.#serve()
  }

  /** The bus closes: what came is still read. */
  end(): void {
    this.#isOver = true
    for (const resolve of this.#waiting.splice(0)) resolve(over)
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const value = this.#buffer.shift()
      if (value === undefined) return
      this.#waiting.shift()?.({ done: false, value })
    }
  }

  // ---- what its reader calls

  async next(): Promise<Result> {
    const value = this.#buffer.shift()
    if (value !== undefined) return { done: false, value }
    if (this.#isOver) return over
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async return(): Promise<Result> {
    await this.close()
    return over
  }

  close(): Promise<void> {
    this.end()
    this.#buffer.clear()
    this.#closing ??= this.#leave?.() ?? Promise.resolve()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
