/** The subscribed connection: wake-ups for this bus' sessions, replies to its requests, events of watched topics, news of topics. Connected with the first subscription. */
import { REGISTRY } from '@busway/lua'
import type { Wakes } from '../seams.js'
import { randomId } from '../wire/ids.js'
import type { Channels } from './channels.js'

type Listener = (payload: string) => void
const LINE_FEED = 10

export class WakeSubscriber implements Wakes {
  readonly busId = randomId()
  readonly #namespace: string
  readonly #channels: Channels

  constructor(namespace: string, channels: Channels) {
    this.#namespace = namespace
    this.#channels = channels
  }

  subscribe(topic: string, listener: (payload: string, bytes?: Buffer) => void): Promise<() => void> {
    const split = (payload: Buffer): void => {
      const end = payload.indexOf(LINE_FEED)
      if (end < 0) listener(payload.toString())
      else listener(payload.toString('utf8', 0, end), payload.subarray(end + 1))
    }
    return this.#channels.join(this.#nameOf(topic, `wake:${this.busId}`), split, true)
  }

  /** As `subscribe`, for the replies to this bus' requests on that topic. */
  subscribeReplies(topic: string, listener: Listener): Promise<() => void> {
    return this.#join(topic, `reply:${this.busId}`, listener, false)
  }

  /** As `subscribe`, for what happens to all messages of that topic; what it resolves with resolves when Redis knows that it is left. */
  subscribeEvents(topic: string, listener: Listener): Promise<() => Promise<void>> {
    return this.#join(topic, 'events', listener, false)
  }

  /** As `subscribe`, for the names of topics that are new in the namespace. */
  subscribeTopics(listener: Listener): Promise<() => void> {
    return this.#join(REGISTRY, 'topics', listener, true)
  }

  /** As `subscribe`, for the news that there is room in that topic. */
  subscribeRoom(topic: string, listener: Listener): Promise<() => void> {
    return this.#join(topic, `room:${this.busId}`, listener, false)
  }

  /** Keeps the program running until the function that it answers is called. */
  hold(): () => void {
    this.#channels.hold()
    return () => this.#channels.release()
  }

  onBack(listener: () => void): () => void {
    return this.#channels.onBack(listener)
  }

  close(farewellMs: number): Promise<void> {
    return this.#channels.close(farewellMs)
  }

  #join(topic: string, what: string, listener: Listener, holds: boolean): Promise<() => Promise<void>> {
    return this.#channels.join(this.#nameOf(topic, what), (payload) => listener(payload.toString()), holds)
  }

  #nameOf(topic: string, what: string): string {
    return `${this.#namespace}:{${topic}}:${what}`
  }
}
