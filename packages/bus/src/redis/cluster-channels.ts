/**
 * The channels of a bus on a cluster: each is subscribed to at the master that has its slot, and follows it from one master to another.
 *
 * A master that loses a slot ends the subscriptions to its channels and says so; a master that goes is found out by its connection. In both cases the slots are
 * asked for again, channels are joined where they are by then, and whoever listens is told that something may have been missed.
 */

import { BuswayError } from '../errors/busway-error.js'
import { type ChannelListener, type Channels, type ChannelsSettings, ServerChannels } from './channels.js'
import { closedError } from './connection.js'
import { slotOf, tagOf } from './slots.js'
import type { Topology } from './topology.js'

/** Before a node that refused is asked once more. */
const AGAIN_MS = 25
const FAREWELL_MS = 1_000

interface Place {
  readonly name: string
  readonly slot: number
  readonly listeners: Set<ChannelListener>
  readonly holds: boolean
  /** Settles when it has been joined for the first time. */
  joined: Promise<void>
  /** The master where it is joined, or being joined. */
  at: string | undefined
  /** Counts the times that it was joined anew: what an earlier one finds is of no account. */
  turn: number
  leave: (() => Promise<void>) | undefined
}

export class ClusterChannels implements Channels {
  readonly #settings: ChannelsSettings
  readonly #topology: Topology
  readonly #nodes = new Map<string, ServerChannels>()
  readonly #places = new Map<string, Place>()
  readonly #back = new Set<() => void>()
  readonly #waiting = new Set<() => void>()
  #holds = 0
  #isClosed = false

  constructor(settings: Omit<ChannelsSettings, 'onSlotMoved'>, topology: Topology) {
    this.#settings = settings
    this.#topology = topology
    topology.onChange(() => void this.#follow())
  }

  async join(name: string, listener: ChannelListener, holds: boolean): Promise<() => Promise<void>> {
    let place = this.#places.get(name)
    if (place === undefined) {
      const slot = slotOf(tagOf(name))
      const made: Place = {
        ...{ name, slot, holds, listeners: new Set<ChannelListener>() },
        ...{ joined: Promise.resolve(), at: undefined, turn: 0, leave: undefined },
      }
      place = made
      this.#places.set(name, made)
      if (holds) this.hold()
      made.joined = this.#settle(made)
      made.joined.catch(() => undefined)
    }
    place.listeners.add(listener)
    const mine = place
    const leave = (): Promise<void> => this.#leave(mine, listener)
    try {
      await place.joined
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
    if (this.#holds++ > 0) return
    this.#topology.hold()
    for (const node of this.#nodes.values()) node.hold()
  }

  release(): void {
    if (--this.#holds > 0) return
    this.#topology.release()
    for (const node of this.#nodes.values()) node.release()
  }

  async close(farewellMs: number): Promise<void> {
    this.#isClosed = true
    for (const look of this.#waiting) look()
    await Promise.all([...this.#nodes.values()].map((node) => node.close(farewellMs)))
  }

  /** Resolves when it is joined where its slot is, or nobody listens any more. Rejects with BUS_CLOSED, or REDIS_REFUSED if the user may not hear it. */
  async #settle(place: Place): Promise<void> {
    this.#topology.start()
    const turn = ++place.turn
    const isOver = (): boolean => place.turn !== turn || this.#places.get(place.name) !== place
    while (!isOver()) {
      if (this.#isClosed) throw closedError()
      const owner = this.#topology.ownerOf(place.slot)
      if (owner === undefined) {
        await this.#change()
        continue
      }
      place.at = owner
      try {
        const leave = await this.#nodeAt(owner).join(
          place.name,
          (payload) => {
            if (place.turn === turn) for (const listener of place.listeners) listener(payload)
          },
          false,
        )
        if (!isOver()) place.leave = leave
        else void leave()
        return
      } catch (error) {
        if (isOver()) return
        // The user may not hear it.
        if (error instanceof BuswayError && error.code === 'REDIS_REFUSED') throw error
        await this.#topology.suspect()
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
      }
    }
  }

  async #follow(): Promise<void> {
    if (this.#isClosed) return
    for (const look of this.#waiting) look()
    const moving: Promise<void>[] = []
    for (const place of this.#places.values()) {
      const owner = this.#topology.ownerOf(place.slot)
      if (place.at === undefined || place.at === owner || owner === undefined) continue
      void place.leave?.()
      place.leave = undefined
      moving.push(this.#settle(place))
    }
    for (const [name, node] of this.#nodes) {
      if (this.#topology.masters.has(name)) continue
      this.#nodes.delete(name)
      if (this.#holds > 0) node.release()
      void node.close(FAREWELL_MS)
    }
    if (moving.length === 0) return
    await Promise.allSettled(moving)
    this.#tellBack()
  }

  #nodeAt(name: string): ServerChannels {
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const address = this.#topology.masters.get(name) ?? this.#settings.address
    const node: ServerChannels = new ServerChannels({
      ...this.#settings,
      address,
      onDown: (error, problem) => {
        if (this.#nodes.get(name) !== node) return
        void this.#topology.suspect()
        this.#settings.onDown(error, problem)
      },
      // Some it has ended; what it still has, or has again, is joined once more.
      onSlotMoved: () => void this.#topology.suspect().then(() => node.resubscribe()),
    })
    node.onBack(() => this.#tellBack())
    this.#nodes.set(name, node)
    if (this.#holds > 0) node.hold()
    return node
  }

  #tellBack(): void {
    for (const listener of this.#back) listener()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  async #leave(place: Place, listener: ChannelListener): Promise<void> {
    if (!place.listeners.delete(listener) || place.listeners.size > 0 || this.#places.get(place.name) !== place) return
    this.#places.delete(place.name)
    if (place.holds) this.release()
    await place.leave?.()
  }
}
