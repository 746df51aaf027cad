/** Events that wait for their reader. Where it is slower than they come the oldest go, and it is told how many, in their place. Pure. */
import type { EventsMissed, TopicEvent } from '../api/index.js'

export class EventBuffer {
  readonly #topic: string
  readonly #most: number
  #events: TopicEvent[] = []
  #head = 0
  /** What went at the head; without a number where that cannot be known. */
  #missed: { count: number | undefined } | undefined

  constructor(topic: string, most: number) {
    this.#topic = topic
    this.#most = most
  }

  push(event: TopicEvent): void {
    if (this.#events.length - this.#head >= this.#most) this.#drop()
    this.#events.push(event)
  }

  /** Some may be missing here. */
  pushMissed(): void {
    const last = this.#events.length > this.#head ? this.#events.at(-1) : undefined
    if (last?.type === 'missed' && last.count === undefined) return
    this.push(missed(this.#topic, undefined))
  }

  shift(): TopicEvent | undefined {
    if (this.#missed !== undefined) {
      const { count } = this.#missed
      this.#missed = undefined
      return missed(this.#topic, count)
    }
    const event = this.#events[this.#head]
    if (event === undefined) return undefined
    this.#next()
    return event
  }

  clear(): void {
    this.#events = []
    this.#head = 0
    this.#missed = undefined
  }

  #drop(): void {
    const gone = this.#events[this.#head] as TopicEvent
    this.#next()
    const count = gone.type === 'missed' ? gone.count : 1
    const before = this.#missed === undefined ? 0 : this.#missed.count
    this.#missed = { count: count === undefined || before === undefined ? undefined : before + count }
  }

  #next(): void {
    this.#head++
    if (this.#head < 64 || this.#head * 2 < this.#events.length) return
    this.#events = this.#events.slice(this.#head)
    this.#head = 0
  }
}

const missed = (topic: string, count: number | undefined): EventsMissed => ({
  type: 'missed',
  topic,
  time: new Date(),
  ...(count === undefined ? {} : { count }),
})
