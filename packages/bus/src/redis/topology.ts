/**
 * Which master of a cluster has which slot: asked of any node, over a connection made for that.
 *
 * 1. `start`: the nodes that the user named are asked, one after the other, until one answers.
 * 2. Where a node redirects (`moved`), that slot is known at once, and the rest asked again.
 * 3. Whoever finds something wrong (a connection that went, a subscription that the server ended) says so (`suspect`): it is asked again, of another node
 *    each time, since one alone may be the last to know. Those who find it wrong go on saying so, so it is asked until it is right.
 */
import { BuswayError } from '../errors/busway-error.js'
import { type ClusterNode, nodeAddress, type RedisAddress } from './address.js'
import { Link } from './link.js'
import { refusal } from './refusal.js'
import { notACluster } from './server.js'
import { SLOTS } from './slots.js'

/** A node that has not answered by then is passed over. */
const ASK_MS = 1_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000

type Trouble = (error: Error, problem: BuswayError | undefined) => void

export class Topology {
  readonly #address: RedisAddress
  readonly #name: string
  readonly #changed = new Set<() => void>()
  readonly #troubled = new Set<Trouble>()
  /** By slot. */
  #owners: (string | undefined)[] = []
  #masters: ReadonlyMap<string, RedisAddress> = new Map()
  /** All that were heard of, the next to be asked first. */
  #nodes: ClusterNode[]
  #asking: Promise<void> | undefined
  #problem: BuswayError | undefined
  #failures = 0
  #isStarted = false
  #isClosed = false
  #holds = 0
  #timer: NodeJS.Timeout | undefined

  constructor(address: RedisAddress, name: string) {
    this.#address = address
    this.#name = name
    this.#nodes = [...(address.cluster ?? [])]
  }

  /** `host:port` of the master that has it; `undefined` if nobody does, or it is not known yet. */
  ownerOf(slot: number): string | undefined {
    return this.#owners[slot]
  }

  /** Those that have slots, by name. Empty: it is not known yet. */
  get masters(): ReadonlyMap<string, RedisAddress> {
    return this.#masters
  }

  /** A node answers, and cannot be used as it is. */
  get problem(): BuswayError | undefined {
    return this.#problem
  }

  onChange(listener: () => void): void {
    this.#changed.add(listener)
  }

  /** Called each time that nobody could be asked. */
  onTrouble(listener: Trouble): void {
    this.#troubled.add(listener)
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    void this.suspect()
  }

  /** Resolves when it has been asked once more; never rejects. */
  suspect(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#asking ??= this.#askAround().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** A node says where it is: `MOVED 3999 127.0.0.1:6381`. */
  moved(message: string): void {
    const [, slot, at] = /^MOVED (\d+) (\S+)$/.exec(message) ?? []
    const node = at === undefined ? undefined : nodeOf(at)
    if (node !== undefined && Number(slot) < SLOTS) {
      const owners = [...this.#owners]
      owners[Number(slot)] = this.#mapped(node)
      // It knows best.
      this.#nodes = [node, ...this.#nodes.filter((other) => nameOf(other) !== nameOf(node))]
      this.#apply(owners)
    }
    void this.suspect()
  }

  /** Keeps the program running until `release`, as long as nothing is known. */
  hold(): void {
    if (this.#holds++ === 0) this.#timer?.ref()
  }

  release(): void {
    if (--this.#holds === 0) this.#timer?.unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #askAround(): Promise<void> {
    const tried = new Set<string>()
    let failure: Error | undefined
    let problem: BuswayError | undefined
    for (const node of [...this.#nodes, ...(this.#address.cluster ?? [])]) {
      const name = nameOf(node)
      if (this.#isClosed || tried.has(name)) continue
      tried.add(name)
      // Another one next time.
      this.#nodes = [...this.#nodes.filter((other) => nameOf(other) !== name), node]
      try {
        this.#take(await this.#ask(node), node)
        this.#failures = 0
        this.#problem = undefined
        return
      } catch (error) {
        failure = refusal(error, name)
        if (failure instanceof BuswayError) problem ??= failure
      }
    }
    if (!this.#isClosed) this.#failed(failure ?? new Error('no node is known'), problem)
  }

  /** Until something is known nobody else would ask again. */
  #failed(error: Error, problem: BuswayError | undefined): void {
    this.#problem = problem
    if (this.#masters.size === 0) {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)
      this.#timer = setTimeout(() => void this.suspect(), pauseMs)
      if (this.#holds === 0) this.#timer.unref()
    }
    for (const tell of this.#troubled) tell(error, problem)
  }

  async #ask(node: ClusterNode): Promise<unknown> {
    const link = new Link(nodeAddress(this.#address, node).options, `${this.#name}:topology`, ASK_MS)
    try {
      await link.connect()
      return await link.call('CLUSTER', ['SLOTS'])
    } catch (error) {
      throw /cluster support disabled/i.test(String(error)) ? notACluster(nameOf(node)) : error
    } finally {
      link.destroy(new Error('the slots were asked for'))
    }
  }

  #take(reply: unknown, asked: ClusterNode): void {
    const owners: (string | undefined)[] = []
    const heard: ClusterNode[] = []
    for (const [from, to, ...nodes] of reply as [number, number, ...[Buffer | null, number][]][]) {
      const at = nodes.map(([host, port]) => ({ host: String(host ?? '') || asked.host, port }))
      heard.push(...at)
      const [master] = at
      if (master === undefined) continue
      const name = this.#mapped(master)
      for (let slot = from; slot <= to; slot++) owners[slot] = name
    }
    if (owners.length === 0) throw new Error('the cluster has no slots yet')
    const known = new Set(this.#nodes.map(nameOf))
    for (const node of heard) if (!known.has(nameOf(node)) && known.add(nameOf(node))) this.#nodes.unshift(node)
    this.#apply(owners)
  }

  #apply(owners: (string | undefined)[]): void {
    const old = this.#owners
    let differs = false
    for (let slot = 0; slot < SLOTS && !differs; slot++) differs = old[slot] !== owners[slot]
    if (!differs) return
    this.#owners = owners
    const masters = new Map<string, RedisAddress>()
    for (const name of owners) {
      if (name === undefined || masters.has(name)) continue
      masters.set(name, this.#masters.get(name) ?? nodeAddress(this.#address, nodeOf(name) as ClusterNode))
    }
    this.#masters = masters
    for (const listener of this.#changed) listener()
  }

  /** By the address under which this machine reaches it. */
  #mapped(node: ClusterNode): string {
    const { natMap } = this.#address.options
    const name = nameOf(node)
    const mapped = typeof natMap === 'function' ? natMap(name) : natMap?.[name]
    return nameOf(mapped ?? node)
  }
}

const nameOf = ({ host, port = 6379 }: ClusterNode): string => `${host}:${port}`

function nodeOf(name: string): ClusterNode | undefined {
  const colon = name.lastIndexOf(':')
  const [host, port] = [name.slice(0, colon), Number(name.slice(colon + 1))]
  return colon > 0 && port > 0 ? { host, port } : undefined
}
