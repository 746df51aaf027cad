/** A subscribed connection to one server, and the channels that are listened to over it, on whatever link. */
import type { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import type { RedisAddress } from './address.js'
import { Connection } from './connection.js'
import { explainFailure } from './explain.js'
import type { Link } from './link.js'
import { slotOf, tagOf } from './slots.js'

export type ChannelListener = (payload: Buffer) => void

/** Where a bus subscribes: one server, or the masters of a cluster. */
export interface Channels {
  /** Resolves with how to leave once Redis confirmed it; what that resolves with resolves when Redis knows. `holds`: it keeps the program running. */
  join(name: string, listener: ChannelListener, holds: boolean): Promise<() => Promise<void>>
  /** Subscriptions are back after they had gone: something may have been missed. */
  onBack(listener: () => void): () => void
  hold(): void
  release(): void
  close(farewellMs: number): Promise<void>
}

export interface ChannelsSettings {
  readonly address: RedisAddress
  readonly name: string
  readonly hangMs: number
  readonly onDown: (error: Error, problem: BuswayError | undefined) => void
  /** Of a node of a cluster: channels that it does not have (any more) are elsewhere. Channels are of slots then. */
  readonly onSlotMoved?: () => void
}

interface Channel {
  readonly listeners: Set<ChannelListener>
  /** What subscribes keeps the program running; who waits for replies has a timer of its own for that. */
  readonly holds: boolean
  /** Settles with Redis' confirmation, on whatever link. */
  confirmed: Promise<unknown>
  /** That is subscribed to it. */
  link?: Link
}

/** Channels a SUBSCRIBE names, so that ten thousand topics are no single huge command. */
const chunk = 500

export class ServerChannels implements Channels {
  readonly #settings: ChannelsSettings
  readonly #connection: Connection
  readonly #channels = new Map<string, Channel>()
  readonly #back = new Set<() => void>()
  #wasUp = false
  #pings: NodeJS.Timeout | undefined

  constructor(settings: ChannelsSettings) {
    this.#settings = settings
    this.#connection = new Connection({
      address: settings.address,
      name: settings.name,
      hangMs: settings.hangMs,
      prepare: (link) => this.#prepare(link),
      onUp: () => {
        if (this.#wasUp) this.#tellBack()
        this.#wasUp = true
      },
      onDown: settings.onDown,
    })
  }

  async join(name: string, listener: ChannelListener, holds: boolean): Promise<() => Promise<void>> {
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

  hold(): void {
    this.#connection.hold()
  }

  release(): void {
    this.#connection.release()
  }

  /** Of a node of a cluster: subscribes once more to all that it may have ended and still has. */
  async resubscribe(): Promise<void> {
    const { link } = this.#connection
    if (link === undefined) return
    await this.#subscribeAll(link).catch(() => undefined)
    this.#tellBack()
  }

  close(farewellMs: number): Promise<void> {
    clearInterval(this.#pings)
    return this.#connection.close(farewellMs)
  }

  #tellBack(): void {
    for (const listener of this.#back) listener()
  }

  get #isSharded(): boolean {
    return this.#settings.onSlotMoved !== undefined
  }

  #subscribe(link: Link, names: readonly string[]): Promise<unknown> {
    return this.#isSharded ? link.subscribeSharded(names) : link.subscribe(names)
  }

  /**
   * Until the link that is up is subscribed, by this or by its own preparation. Rejects with REDIS_REFUSED if the user may not hear it, and with a
   * RedisFailure if it is a node of a cluster that has not got it.
   */
  async #confirm(name: string, channel: Channel): Promise<void> {
    for (;;) {
      await this.#connection.usable()
      const { link } = this.#connection
      if (link === undefined) continue
      if (channel.link === link) return
      try {
        await this.#subscribe(link, [name])
        channel.link = link
      } catch (error) {
        if (isForbidden(error)) throw explainFailure(error, this.#settings.address)
        // The link went: the next one is waited for.
        if (this.#isSharded && link.isOpen) throw error
      }
    }
  }

  async #leave(name: string, channel: Channel, listener: ChannelListener): Promise<void> {
    if (!channel.listeners.delete(listener) || channel.listeners.size > 0 || this.#channels.get(name) !== channel)
      return
    this.#channels.delete(name)
    if (channel.holds) this.#connection.release()
    const { link } = this.#connection
    await (this.#isSharded ? link?.unsubscribeSharded([name]) : link?.unsubscribe([name]))?.catch(() => undefined)
  }

  async #prepare(link: Link): Promise<void> {
    link.onMessage((name, payload) => {
      const channel = this.#channels.get(name)
      if (channel !== undefined) for (const listener of channel.listeners) listener(payload)
    })
    link.onSlotMoved(() => this.#settings.onSlotMoved?.())
    await link.call('PING', [])
    await this.#subscribeAll(link)
    // Nothing is asked on this socket: without pings a hung one would never be noticed.
    clearInterval(this.#pings)
    this.#pings = setInterval(() => void link.call('PING', []).catch(() => undefined), this.#settings.hangMs)
    this.#pings.unref()
  }

  async #subscribeAll(link: Link): Promise<void> {
    const channels = [...this.#channels]
    if (this.#isSharded) {
      await Promise.all(bySlot(channels).map((some) => this.#subscribeSome(link, some)))
      return
    }
    for (let i = 0; i < channels.length; i += chunk) await this.#subscribeSome(link, channels.slice(i, i + chunk))
  }

  async #subscribeSome(link: Link, channels: readonly (readonly [string, Channel])[]): Promise<void> {
    try {
      await this.#subscribe(
        link,
        channels.map(([name]) => name),
      )
      for (const [, channel] of channels) channel.link = link
    } catch (error) {
      if (isForbidden(error)) {
        // One that is not permitted refuses all that are named with it; whoever joined that one is told when he asks.
        if (channels.length > 1) for (const channel of channels) await this.#subscribeSome(link, [channel])
        return
      }
      // Their slot is elsewhere, which is told, and so are they, soon.
      if (!this.#isSharded || !link.isOpen) throw error
    }
  }
}

function bySlot<T>(channels: readonly (readonly [string, T])[]): (readonly [string, T])[][] {
  const slots = new Map<number, (readonly [string, T])[]>()
  for (const channel of channels) {
    const slot = slotOf(tagOf(channel[0]))
    const some = slots.get(slot)
    if (some === undefined) slots.set(slot, [channel])
    else some.push(channel)
  }
  return [...slots.values()]
}

const isForbidden = (error: unknown): boolean => isRedisFailure(error) && error.reply === 'NOPERM'
