/** The subscribed connection: wake-ups for this bus' sessions, replies to its requests, events of watched topics, news of topics. Connected with the first subscription. */
import { REGISTRY } from '@busway/lua'
import type { BuswayError } from '../errors/busway-error.js'
import type { Wakes } from '../seams.js'
import { randomId } from '../wire/ids.js'
import type { RedisAddress } from './address.js'
import { Connection } from './connection.js'
import type { Link } from './link.js'

export interface WakesSettings {
  readonly address: RedisAddress
  readonly namespace: string
  readonly name: string
  readonly hangMs: number
  readonly onDown: (error: Error, problem: BuswayError | undefined) => void
}

type Listener = (payload: string) => void

interface Channel {
  readonly listeners: Set<Listener>
  /** What subscribes keeps the program running; who waits for replies has a timer of its own for that. */
  readonly holds: boolean
  /** Settles with Redis' confirmation, on whatever link. */
  confirmed: Promise<unknown>
  /** That is subscribed to it. */
  link?: Link
}

/** Channels a SUBSCRIBE names, so that ten thousand topics are no single huge command. */
const chunk = 500

export class WakeSubscriber implements Wakes {
  readonly busId = randomId()
  readonly #settings: WakesSettings
  readonly #connection: Connection
  readonly #channels = new Map<string, Channel>()
  readonly #back = new Set<() => void>()
  #wasUp = false
  #pings: NodeJS.Timeout | undefined

  constructor(settings: WakesSettings) {
    this.#settings = settings
    this.#connection = new Connection({
      address: settings.address,
      name: settings.name,
      hangMs: settings.hangMs,
      prepare: (link) => this.#prepare(link),
      onUp: () => {
        if (this.#wasUp) for (const listener of this.#back) listener()
        this.#wasUp = true
      },
      onDown: settings.onDown,
    })
  }

  subscribe(topic: string, listener: Listener): Promise<() => void> {
    return this.#join(`${this.#settings.namespace}:{${topic}}:wake:${this.busId}`, listener, true)
  }

  /** As `subscribe`, for the replies to this bus' requests on that topic. */
  subscribeReplies(topic: string, listener: Listener): Promise<() => void> {
    return this.#join(`${this.#settings.namespace}:{${topic}}:reply:${this.busId}`, listener, false)
  }

  /** As `subscribe`, for what happens to all messages of that topic; what it resolves with resolves when Redis knows that it is left. */
  subscribeEvents(topic: string, listener: Listener): Promise<() => Promise<void>> {
    return this.#join(`${this.#settings.namespace}:{${topic}}:events`, listener, false)
  }

  /** As `subscribe`, for the names of topics that are new in the namespace. */
  subscribeTopics(listener: Listener): Promise<() => void> {
    return this.#join(`${this.#settings.namespace}:{${REGISTRY}}:topics`, listener, true)
  }

  /** Keeps the program running until the function that it answers is called. */
  hold(): () => void {
    this.#connection.hold()
    return () => this.#connection.release()
  }

  /** As `subscribe`, for the news that there is room in that topic. */
  subscribeRoom(topic: string, listener: Listener): Promise<() => void> {
    return this.#join(`${this.#settings.namespace}:{${topic}}:room:${this.busId}`, listener, false)
  }

  async #join(name: string, listener: Listener, holds: boolean): Promise<() => Promise<void>> {
    let channel = this.#channels.get(name)
    if (channel === undefined) {
      channel = { listeners: new Set(), holds, confirmed: Promise.resolve() }
      this.#channels.set(name, channel)
      if (holds) this.#connection.hold()
      channel.confirmed = this.#confirm(name, channel)
      channel.confirmed.catch(() => undefined)
    }
    channel.listeners.add(listener)
    const mine = channel
    const leave = (): Promise<void> => this.#leave(name, mine, listener)
    try {
      await channel.confirmed
    } catch (error) {
      void leave()
      throw error
    }
    return leave
  }

  onBack(listener: () => void): () => void {
    this.#back.add(listener)
    return () => this.#back.delete(listener)
  }

  close(farewellMs: number): Promise<void> {
    clearInterval(this.#pings)
    return this.#connection.close(farewellMs)
  }

  /** Until the link that is up is subscribed, by this or by its own preparation. */
  async #confirm(name: string, channel: Channel): Promise<void> {
    for (;;) {
      await this.#connection.usable()
      const { link } = this.#connection
      if (link === undefined) continue
      if (channel.link === link) return
      try {
        await link.subscribe([name])
        channel.link = link
      } catch {
        // The link went: the next one is waited for.
      }
    }
  }

  async #leave(name: string, channel: Channel, listener: Listener): Promise<void> {
    if (!channel.listeners.delete(listener) || channel.listeners.size > 0 || this.#channels.get(name) !== channel)
      return
    this.#channels.delete(name)
    if (channel.holds) this.#connection.release()
    await this.#connection.link?.unsubscribe([name]).catch(() => undefined)
  }

  async #prepare(link: Link): Promise<void> {
    link.onMessage((name, payload) => {
      const channel = this.#channels.get(name)
      if (channel !== undefined) for (const listener of channel.listeners) listener(payload)
    })
    await link.call('PING', [])
    const channels = [...this.#channels]
    for (let i = 0; i < channels.length; i += chunk) {
      const some = channels.slice(i, i + chunk)
      await link.subscribe(some.map(([name]) => name))
      for (const [, channel] of some) channel.link = link
    }
    // Nothing is asked on this socket: without pings a hung one would never be noticed.
    clearInterval(this.#pings)
    this.#pings = setInterval(() => void link.call('PING', []).catch(() => undefined), this.#settings.hangMs)
    this.#pings.unref()
  }
}
