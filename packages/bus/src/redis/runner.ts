/**
 * Sends scripts over the commands connection, in the order of the calls.
 *
 * A script is addressed by its hash. Redis forgets scripts when it restarts or is told to (SCRIPT FLUSH): then it refuses with NOSCRIPT, before
 * anything was written, and `reload` brings them back. Sending the text instead would overtake what is in flight.
 */
import { type Script, UnexpectedReply } from '@busway/lua'
import type { GuardArgs } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { isPassing, isRedisFailure, RedisFailureError } from '../errors/redis-failure.js'
import type { RedisFailure, ScriptRunner } from '../seams.js'
import type { RedisAddress } from './address.js'
import { RedisClock } from './clock.js'
import { Connection } from './connection.js'
import { explainFailure } from './explain.js'
import type { Link, RedisArg } from './link.js'
import { type PluginLua, Scripts } from './scripts.js'
import { inspectServer } from './server.js'

export interface RunnerSettings {
  readonly address: RedisAddress
  readonly namespace: string
  readonly name: string
  readonly hangMs: number
  /** For scripts that may run twice. */
  readonly timeoutMs: number
  readonly lua: () => PluginLua
  readonly onWarning: (message: string) => void
  readonly onUp: () => void
  readonly onDown: (error: Error, problem: BuswayError | undefined) => void
}

type Listener = (error?: Error) => void

export class Runner implements ScriptRunner {
  readonly #settings: RunnerSettings
  readonly #connection: Connection
  readonly #scripts: Scripts
  readonly #clock = new RedisClock()
  readonly #listeners = { up: new Set<Listener>(), down: new Set<Listener>() }
  #reloading: Promise<void> | undefined
  #warned: string | undefined

  constructor(settings: RunnerSettings) {
    this.#settings = settings
    this.#scripts = new Scripts(settings.lua)
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
    const args: RedisArg[] = [this.#scripts.set.get(script.name).sha, '2', `${prefix}meta`, `${prefix}never`]
    for (const arg of script.args(request)) args.push(sendable(arg))
    return this.#connection.call('EVALSHA', args).then((raw) => this.#read(script, raw))
  }

  /** One try of a plain command, on the link of the calls before it. Rejects with a RedisFailure. */
  call(command: string, args: RedisArg[]): Promise<unknown> {
    return this.#connection.call(command, args)
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

  /** `keys` are relative to the topic's prefix. The script may run twice if a connection fails. */
  runPlugin(name: string, topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown> {
    const prefix = `${this.#settings.namespace}:{${topic}}:`
    const { sha } = this.#scripts.plugin(name)
    const all: RedisArg[] = [
      sha,
      String(keys.length + 2),
      `${prefix}meta`,
      `${prefix}never`,
      ...keys.map((key) => prefix + key),
      ...args.map(sendable),
    ]
    return this.#repeat(() => this.#connection.call('EVALSHA', [...all]))
  }

  /** A plain command that may run twice. */
  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown> {
    return this.#repeat(() => this.#connection.call(command, [...args]), timeoutMs)
  }

  async #repeat<T>(call: () => Promise<T>, timeoutMs: number = this.#settings.timeoutMs): Promise<T> {
    const until = performance.now() + timeoutMs
    let last: unknown
    for (let tries = 0; ; tries++) {
      const left = until - performance.now()
      if (left <= 0) throw explainFailure(last ?? this.unavailable(), this.address)
      try {
        if (!this.isUp) await this.#usableWithin(left)
        return await this.#answeredBy(until, call())
      } catch (error) {
        if (!isRedisFailure(error)) throw error
        last = error
        if (error.kind === 'failed' || (error.kind === 'refused' && !mayPass(error)))
          throw explainFailure(error, this.address)
        if (error.reply === 'NOSCRIPT') await this.reload().catch(() => undefined)
        else if (error.kind === 'refused') await this.pause(Math.min(50 * 2 ** tries, 500, left))
      }
    }
  }

  /** A socket that hangs is noticed only after seconds; whoever has less time is told when it is up. */
  async #answeredBy<T>(untilMs: number, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const waitMs = Math.min(Math.max(0, untilMs - performance.now()), 2 ** 31 - 1)
      timer = setTimeout(() => reject(new RedisFailureError('unknown', 'Redis has not answered in time')), waitMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #usableWithin(timeoutMs: number): Promise<void> {
    try {
      await this.usable(AbortSignal.timeout(Math.ceil(timeoutMs)))
    } catch (error) {
      throw error instanceof BuswayError ? error : (this.problem ?? this.unavailable())
    }
  }

  unavailable(): BuswayError {
    const { text, advice } = this.address
    return new BuswayError('REDIS_UNAVAILABLE', `Redis at ${text} cannot be reached: nothing was sent. ${advice}.`)
  }

  /** Keeps the program running meanwhile: somebody waits. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  usable(signal?: AbortSignal): Promise<void> {
    return this.#connection.usable(signal)
  }

  /** Ends the connection; the next one may reach another server. */
  reconnect(error: Error): void {
    this.#connection.drop(error)
  }

  /** Keeps the program running until `release`: work waits for Redis. */
  hold(): void {
    this.#connection.hold()
  }

  release(): void {
    this.#connection.release()
  }

  reload(): Promise<void> {
    const { link } = this.#connection
    if (link === undefined) return this.usable()
    this.#reloading ??= this.#scripts.load(link).finally(() => {
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
    const facts = await inspectServer(link, this.address.text)
    if (facts.warning !== undefined && facts.warning !== this.#warned) this.#settings.onWarning(facts.warning)
    this.#warned = facts.warning
    this.#scripts.compose(facts.version)
    // Together, so that neither fails unheard when the link goes.
    const [time] = await Promise.all([link.call('TIME', []), this.#scripts.load(link)])
    const [seconds, micros] = time as [Buffer, Buffer]
    this.#clock.learn(Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000))
  }
}

/** A replica may become the primary, a password may be set: only what cannot change by itself soon is not tried again. */
const mayPass = (failure: RedisFailure): boolean => isPassing(failure) && failure.reply !== 'OOM'

function sendable(arg: string | number | Uint8Array): RedisArg {
  return arg instanceof Uint8Array && !Buffer.isBuffer(arg)
    ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
    : (arg as RedisArg)
}
