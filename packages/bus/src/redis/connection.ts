/**
 * A connection that never gives up:
 *
 * 1. connect a link, prepare it (check the server, load scripts, subscribe): it is up
 * 2. when it ends, or could not be made, wait a little longer each time, and begin again
 *
 * While nobody holds it, neither its socket nor its timers keep the program running.
 */
import { BuswayError } from '../errors/busway-error.js'
import { RedisFailureError } from '../errors/redis-failure.js'
import type { RedisAddress } from './address.js'
import { Link, type RedisArg } from './link.js'
import { refusal } from './refusal.js'

export interface ConnectionSettings {
  readonly address: RedisAddress
  /** As CLIENT LIST shows it. */
  readonly name: string
  /** No byte for this long while something is in flight: the socket hangs. */
  readonly hangMs: number
  /** Makes a fresh link usable. A BuswayError is a problem with the server that callers are told of. */
  readonly prepare: (link: Link) => Promise<void>
  readonly onUp: () => void
  /** Called for each failure, also of tries to connect. `problem`: the server answers, and cannot be used. */
  readonly onDown: (error: Error, problem: BuswayError | undefined) => void
}

const firstDelayMs = 20
const longestDelayMs = 2_000
/** Another server takes over within seconds, and those who say which are asked, not the one that is down. */
const longestFollowingMs = 250

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

export class Connection {
  readonly #settings: ConnectionSettings
  readonly #waiters = new Set<Waiter>()
  #link: Link | undefined
  #up = false
  #started = false
  #closed = false
  #holds = 0
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #problem: BuswayError | undefined

  constructor(settings: ConnectionSettings) {
    this.#settings = settings
  }

  /** The link, if it is up. */
  get link(): Link | undefined {
    return this.#up && this.#link?.isOpen ? this.#link : undefined
  }

  /** The server answers, and cannot be used as it is. */
  get problem(): BuswayError | undefined {
    return this.#problem
  }

  start(): void {
    if (this.#started || this.#closed) return
    this.#started = true
    void this.#connect()
  }

  /** One command on the link that is up. Rejects with a RedisFailure. */
  call(command: string, args: RedisArg[]): Promise<unknown> {
    const { link } = this
    if (link === undefined) {
      return Promise.reject(
        new RedisFailureError('unsent', `There is no connection to Redis at ${this.#settings.address.text}`),
      )
    }
    if (this.#holds++ === 0) this.#reference(true)
    return link.call(command, args).finally(this.#release)
  }

  /** Keeps the program running until as many `release` were called: somebody waits for something. */
  hold(): void {
    if (this.#holds++ === 0) this.#reference(true)
  }

  release(): void {
    if (--this.#holds === 0) this.#reference(false)
  }

  readonly #release = (): void => this.release()

  /** Resolves when it is up. Rejects with the signal's reason, or BUS_CLOSED. */
  usable(signal?: AbortSignal): Promise<void> {
    if (this.link !== undefined) return Promise.resolve()
    if (this.#closed) return Promise.reject(closedError())
    if (signal?.aborted) return Promise.reject(signal.reason)
    this.start()
    this.hold()
    return new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', aborted)
        this.release()
      }
      const waiter: Waiter = {
        resolve: () => {
          done()
          resolve()
        },
        reject: (error) => {
          done()
          reject(error)
        },
      }
      const aborted = (): void => waiter.reject(signal?.reason)
      signal?.addEventListener('abort', aborted)
      this.#waiters.add(waiter)
    })
  }

  /** Ends the socket; a new one is connected. */
  drop(error: Error): void {
    this.#link?.destroy(error)
  }

  /** Waits at most `farewellMs` for the server to close it too. */
  async close(farewellMs: number): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#up = false
    clearTimeout(this.#timer)
    for (const waiter of this.#waiters) waiter.reject(closedError())
    await this.#link?.end(farewellMs)
  }

  async #connect(): Promise<void> {
    const { address, name, hangMs, prepare } = this.#settings
    const link = new Link(address.options, name, hangMs)
    this.#link = link
    link.reference(this.#holds > 0)
    try {
      await link.connect()
      await prepare(link)
    } catch (error) {
      if (this.#closed) return
      const reason = refusal(error, address.text)
      link.destroy(reason)
      return this.#down(reason)
    }
    if (this.#closed) return
    const upAt = performance.now()
    this.#problem = undefined
    this.#up = true
    link.onEnd((error) => {
      // One that is cut again at once is no reason to hurry.
      if (performance.now() - upAt > longestDelayMs) this.#failures = 0
      this.#down(error)
    })
    if (!this.#up) return
    for (const waiter of this.#waiters) waiter.resolve()
    this.#settings.onUp()
  }

  #down(error: Error): void {
    this.#up = false
    if (this.#closed) return
    this.#problem = error instanceof BuswayError ? error : undefined
    const longestMs = this.#settings.address.isFollowed ? longestFollowingMs : longestDelayMs
    const delayMs = Math.min(firstDelayMs * 2 ** this.#failures, longestMs) * (0.5 + Math.random() / 2)
    this.#failures = Math.min(this.#failures + 1, 20)
    this.#timer = setTimeout(() => void this.#connect(), delayMs)
    if (this.#holds === 0) this.#timer.unref()
    this.#settings.onDown(error, this.#problem)
  }

  #reference(on: boolean): void {
    this.#link?.reference(on)
    if (on) this.#timer?.ref()
    else this.#timer?.unref()
  }
}

export const closedError = (): BuswayError =>
  new BuswayError('BUS_CLOSED', 'The bus is closed. Publish and consume before close(), or create another bus.')
