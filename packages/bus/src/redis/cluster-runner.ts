/**
 * Sends scripts to the masters of a cluster, each over a connection of its own (a runner): a call goes to the master that has its topic's slot.
 *
 * What a master refuses because the slot is elsewhere, on its way or for the moment nowhere, it has not begun; whoever called sends it again, as after
 * any refusal, and then it goes where the slot is by then. Calls of one topic that were under way meanwhile are told apart by their numbers.
 */
import type { Script } from '@busway/lua'
import type { GuardArgs } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { RedisFailureError } from '../errors/redis-failure.js'
import type { BusRunner, TopicRunner } from './bus-runner.js'
import { closedError } from './connection.js'
import type { RedisArg } from './link.js'
import { repeat } from './repeat.js'
import { Runner, type RunnerSettings } from './runner.js'
import { slotOf, tagOf } from './slots.js'
import type { Topology } from './topology.js'

type Listener = (error?: Error) => void

/** How long a master that has no slots any more may take for its last answers. */
const FAREWELL_MS = 1_000

export class ClusterRunner implements BusRunner {
  readonly #settings: RunnerSettings
  readonly #topology: Topology
  readonly #nodes = new Map<string, Runner>()
  readonly #listeners = { up: new Set<Listener>(), down: new Set<Listener>() }
  readonly #waiting = new Set<() => void>()
  #isStarted = false
  #isClosed = false
  #holds = 0

  constructor(settings: RunnerSettings, topology: Topology) {
    this.#settings = settings
    this.#topology = topology
    topology.onChange(() => this.#follow())
    topology.onTrouble((error, problem) => this.#down(error, problem))
  }

  get address(): RunnerSettings['address'] {
    return this.#settings.address
  }

  get timeoutMs(): number {
    return this.#settings.timeoutMs
  }

  /** All masters are. */
  get isUp(): boolean {
    return this.#nodes.size > 0 && [...this.#nodes.values()].every(({ isUp }) => isUp)
  }

  get problem(): BuswayError | undefined {
    for (const { problem } of this.#nodes.values()) if (problem !== undefined) return problem
    return this.#topology.problem
  }

  of(topic: string): TopicRunner {
    return new SlotRunner(this, slotOf(topic))
  }

  /** The master that has the slot, as far as is known. */
  owner(slot: number): Runner | undefined {
    const name = this.#topology.ownerOf(slot)
    return name === undefined ? undefined : this.#nodes.get(name)
  }

  run<Request, Reply>(script: Script<Request, Reply>, topic: string, request: Request): Promise<Reply> {
    return this.of(topic).run(script, topic, request)
  }

  runRepeatable<Request, Reply>(
    script: Script<Request, Reply>,
    topic: string,
    request: Request,
    timeoutMs?: number,
  ): Promise<Reply> {
    return this.of(topic).runRepeatable(script, topic, request, timeoutMs)
  }

  runPlugin(name: string, topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown> {
    return this.of(topic).runPlugin(name, topic, keys, args)
  }

  call(command: string, args: RedisArg[]): Promise<unknown> {
    return this.of(tagOf(String(args[0]))).call(command, args)
  }

  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown> {
    return this.of(tagOf(String(args[0]))).command(command, args, timeoutMs)
  }

  usable(signal?: AbortSignal): Promise<void> {
    return this.until(() => this.isUp, signal)
  }

  /** Rejects with the signal's reason, or BUS_CLOSED. */
  until(isSo: () => boolean, signal?: AbortSignal): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError())
    if (isSo()) return Promise.resolve()
    if (signal?.aborted) return Promise.reject(signal.reason)
    this.start()
    this.hold()
    return new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (this.#isClosed) end(() => reject(closedError()))
        else if (isSo()) end(resolve)
      }
      const aborted = (): void => end(() => reject(signal?.reason))
      const end = (settle: () => void): void => {
        this.#waiting.delete(look)
        signal?.removeEventListener('abort', aborted)
        this.release()
        settle()
      }
      signal?.addEventListener('abort', aborted)
      this.#waiting.add(look)
    })
  }

  async reload(): Promise<void> {
    await Promise.all([...this.#nodes.values()].filter(({ isUp }) => isUp).map((node) => node.reload()))
  }

  reconnect(error: Error): void {
    for (const node of this.#nodes.values()) node.reconnect(error)
  }

  unavailable(): BuswayError {
    const { text, advice } = this.address
    return new BuswayError('REDIS_UNAVAILABLE', `Redis at ${text} cannot be reached: nothing was sent. ${advice}.`)
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
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

  /** Any master's: for what is of no topic. */
  now(): number {
    const [node] = this.#nodes.values()
    return node?.now() ?? Date.now()
  }

  learnTime(): void {}

  on(event: 'up' | 'down', listener: Listener): () => void {
    this.#listeners[event].add(listener)
    return () => this.#listeners[event].delete(listener)
  }

  start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    this.#topology.start()
    this.#follow()
  }

  async close(farewellMs: number): Promise<void> {
    this.#isClosed = true
    this.#lookAgain()
    await Promise.all([...this.#nodes.values()].map((node) => node.close(farewellMs)))
  }

  /** A connection for each master, and none for those that are masters no more. */
  #follow(): void {
    if (!this.#isStarted || this.#isClosed) return
    const { masters } = this.#topology
    for (const [name, node] of this.#nodes) {
      if (masters.has(name)) continue
      this.#nodes.delete(name)
      if (this.#holds > 0) node.release()
      void node.close(FAREWELL_MS)
    }
    for (const [name, address] of masters) {
      if (this.#nodes.has(name)) continue
      const node: Runner = new Runner({
        ...this.#settings,
        address,
        onUp: () => this.#up(),
        onDown: (error, problem) => {
          if (this.#nodes.get(name) !== node) return
          void this.#topology.suspect()
          this.#down(error, problem)
        },
        onRedirected: ({ message, reply }) => {
          if (reply === 'MOVED') this.#topology.moved(message)
          else void this.#topology.suspect()
        },
      })
      this.#nodes.set(name, node)
      if (this.#holds > 0) node.hold()
      node.start()
    }
    // Calls of a topic before and after are over different connections.
    for (const listener of this.#listeners.down) listener()
    if (this.isUp) this.#up()
    else this.#lookAgain()
  }

  #up(): void {
    if (this.isUp) {
      this.#settings.onUp()
      for (const listener of this.#listeners.up) listener()
    }
    this.#lookAgain()
  }

  #down(error: Error, problem: BuswayError | undefined): void {
    this.#settings.onDown(error, problem)
    for (const listener of this.#listeners.down) listener(error)
  }

  #lookAgain(): void {
    for (const look of [...this.#waiting]) look()
  }
}

/** What a topic's calls go through. */
class SlotRunner implements TopicRunner {
  readonly #cluster: ClusterRunner
  readonly #slot: number

  constructor(cluster: ClusterRunner, slot: number) {
    this.#cluster = cluster
    this.#slot = slot
  }

  get #node(): Runner | undefined {
    return this.#cluster.owner(this.#slot)
  }

  get address(): TopicRunner['address'] {
    return this.#node?.address ?? this.#cluster.address
  }

  get isUp(): boolean {
    return this.#node?.isUp === true
  }

  get problem(): BuswayError | undefined {
    const node = this.#node
    return node === undefined ? this.#cluster.problem : node.problem
  }

  run<Request, Reply>(script: Script<Request, Reply>, topic: string, request: Request): Promise<Reply> {
    return this.#node?.run(script, topic, request) ?? this.#nobody()
  }

  runRepeatable<Request, Reply>(
    script: Script<Request, Reply>,
    topic: string,
    request: Request,
    timeoutMs?: number,
  ): Promise<Reply> {
    return this.#repeat(() => this.run(script, topic, request), timeoutMs)
  }

  runPlugin(name: string, topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown> {
    return this.#repeat(() => this.#node?.runPluginOnce(name, topic, keys, args) ?? this.#nobody())
  }

  call(command: string, args: RedisArg[]): Promise<unknown> {
    return this.#node?.call(command, args) ?? this.#nobody()
  }

  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown> {
    return this.#repeat(() => this.call(command, [...args]), timeoutMs)
  }

  #repeat<T>(call: () => Promise<T>, timeoutMs = this.#cluster.timeoutMs): Promise<T> {
    return repeat(this, call, timeoutMs)
  }

  #nobody(): Promise<never> {
    const what = `It is not known which master of the cluster has slot ${this.#slot}`
    return Promise.reject(new RedisFailureError('unsent', what))
  }

  usable(signal?: AbortSignal): Promise<void> {
    return this.#cluster.until(() => this.isUp, signal)
  }

  async reload(): Promise<void> {
    const node = this.#node
    if (node?.isUp) await node.reload()
    else await this.usable()
  }

  reconnect(error: Error): void {
    this.#node?.reconnect(error)
  }

  unavailable(): BuswayError {
    return (this.#node ?? this.#cluster).unavailable()
  }

  pause(ms: number): Promise<void> {
    return this.#cluster.pause(ms)
  }

  hold(): void {
    this.#cluster.hold()
  }

  release(): void {
    this.#cluster.release()
  }

  now(): number {
    return this.#node?.now() ?? this.#cluster.now()
  }

  learnTime(nowMs: number): void {
    this.#node?.learnTime(nowMs)
  }

  on(event: 'up' | 'down', listener: Listener): () => void {
    return this.#cluster.on(event, listener)
  }
}
