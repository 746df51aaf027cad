/**
 * Sends scripts over the commands connection, in the order of the calls.
 *
 * A script is addressed by its hash. Redis forgets scripts when it restarts or is told to (SCRIPT FLUSH): then it refuses with NOSCRIPT, before
 * anything was written, and `reload` brings them back. Sending the text instead would overtake what is in flight.
 */
import { gateOf, type Script, UnexpectedReply } from '@busway/lua'
import type { GuardArgs } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure, RedisFailureError } from '../errors/redis-failure.js'
import type { RedisAddress } from './address.js'
import type { BusRunner } from './bus-runner.js'
import { RedisClock } from './clock.js'
import { Connection } from './connection.js'
import type { Link, RedisArg } from './link.js'
import { repeat } from './repeat.js'
import type { Scripts } from './scripts.js'
import { inspectServer } from './server.js'

export interface RunnerSettings {
  readonly address: RedisAddress
  readonly namespace: string
  readonly name: string
  readonly hangMs: number
  /** For scripts that may run twice. */
  readonly timeoutMs: number
  readonly scripts: Scripts
  readonly onWarning: (message: string) => void
  readonly onUp: () => void
  readonly onDown: (error: Error, problem: BuswayError | undefined) => void
  /** Of a node of a cluster: a slot is elsewhere, or nowhere. */
  readonly onRedirected?: (failure: RedisFailureError) => void
}

type Listener = (error?: Error) => void

export class Runner implements BusRunner {
  readonly #settings: RunnerSettings
  readonly #connection: Connection
  readonly #clock = new RedisClock()
  readonly #listeners = { up: new Set<Listener>(), down: new Set<Listener>() }
  #reloading: Promise<void> | undefined
  #warned: string | undefined

  constructor(settings: RunnerSettings) {
    this.#settings = settings
    this.#connection = new Connection({
      address: settings.address,
      name: settings.name,
      hangMs: settings.hangMs,
      prepare: (link) => this.#prepare(link),
      onUp: () => {
        settings.onUp()
        for (const listener of this.#listeners.up) listener()
      },
      onDown: (error, problem) => {
        settings.onDown(error, problem)
        for (const listener of this.#listeners.down) listener(error)
      },
    })
  }

  of(): this {
    return this
  }

  get address(): RedisAddress {
    return this.#settings.address
  }

  /** The server answers, and cannot be used as it is: a password, its version, its configuration. */
  get problem(): BuswayError | undefined {
    return this.#connection.problem
  }

  get isUp(): boolean {
    return this.#connection.link !== undefined
  }

  run<Request, Reply>(script: Script<Request, Reply>, topic: string, request: Request): Promise<Reply> {
    const prefix = `${this.#settings.namespace}:{${topic}}:`
    const args: RedisArg[] = [
      this.#settings.scripts.set.get(script.name).sha,
      '2',
      `${prefix}meta`,
      prefix + gateOf(script.name),
    ]
    for (const arg of script.args(request)) args.push(sendable(arg))
    return this.#connection.call('EVALSHA', args).then((raw) => this.#read(script, raw), this.#failed)
  }

  call(command: string, args: RedisArg[]): Promise<unknown> {
    return this.#connection.call(command, args).catch(this.#failed)
  }

  readonly #failed = (error: unknown): never => {
    if (isRedisFailure(error) && (error.reply === 'MOVED' || error.reply === 'CLUSTERDOWN'))
      this.#settings.onRedirected?.(error)
    throw error
  }

  #read<Reply>(script: Script<never, Reply> | Script<unknown, Reply>, raw: unknown): Reply {
    let reply: Reply
    try {
      reply = script.reply(raw)
    } catch (cause) {
      const why = cause instanceof UnexpectedReply ? cause.message : String(cause)
      throw new RedisFailureError('failed', `The answer of ${script.name} makes no sense: ${why}`, { cause })
    }
    const { nowMs } = (reply ?? {}) as { nowMs?: unknown }
    if (typeof nowMs === 'number') this.#clock.learn(nowMs)
    return reply
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
    return this.#repeat(() => this.runPluginOnce(name, topic, keys, args))
  }

  /** `keys` are relative to the topic's prefix. */
  runPluginOnce(name: string, topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown> {
    const prefix = `${this.#settings.namespace}:{${topic}}:`
    const { sha } = this.#settings.scripts.plugin(name)
    const count = String(keys.length + 2)
    const names = keys.map((key) => prefix + key)
    return this.call('EVALSHA', [sha, count, `${prefix}meta`, `${prefix}never`, ...names, ...args.map(sendable)])
  }

  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown> {
    return this.#repeat(() => this.call(command, [...args]), timeoutMs)
  }

  #repeat<T>(call: () => Promise<T>, timeoutMs: number = this.#settings.timeoutMs): Promise<T> {
    return repeat(this, call, timeoutMs)
  }

  unavailable(): BuswayError {
    const { text, advice } = this.address
    return new BuswayError('REDIS_UNAVAILABLE', `Redis at ${text} cannot be reached: nothing was sent. ${advice}.`)
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  usable(signal?: AbortSignal): Promise<void> {
    return this.#connection.usable(signal)
  }

  reconnect(error: Error): void {
    this.#connection.drop(error)
  }

  hold(): void {
    this.#connection.hold()
  }

  release(): void {
    this.#connection.release()
  }

  reload(): Promise<void> {
    const { link } = this.#connection
    if (link === undefined) return this.usable()
    this.#reloading ??= this.#settings.scripts.load(link).finally(() => {
      this.#reloading = undefined
    })
    return this.#reloading
  }

  now(): number {
    return this.#clock.now()
  }

  learnTime(nowMs: number): void {
    this.#clock.learn(nowMs)
  }

  on(event: 'up' | 'down', listener: Listener): () => void {
    this.#listeners[event].add(listener)
    return () => this.#listeners[event].delete(listener)
  }

  start(): void {
    this.#connection.start()
  }

  close(farewellMs: number): Promise<void> {
    return this.#connection.close(farewellMs)
  }

  async #prepare(link: Link): Promise<void> {
    const facts = await inspectServer(link, this.address)
    if (facts.warning !== undefined && facts.warning !== this.#warned) this.#settings.onWarning(facts.warning)
    this.#warned = facts.warning
    this.#settings.scripts.compose(facts.version)
    // Together, so that neither fails unheard when the link goes.
    const [time] = await Promise.all([link.call('TIME', []), this.#settings.scripts.load(link)])
    const [seconds, micros] = time as [Buffer, Buffer]
    this.#clock.learn(Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000))
  }
}

function sendable(arg: string | number | Uint8Array): RedisArg {
  return arg instanceof Uint8Array && !Buffer.isBuffer(arg)
    ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
    : (arg as RedisArg)
}
