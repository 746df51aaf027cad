/**
 * One socket to Redis, from connecting to its end. It never reconnects: a connection makes a new link, so nothing of an old one (queues,
 * half-read replies, subscriptions) can reach into the next.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { fromReply, RedisFailureError } from '../errors/redis-failure.js'

export type RedisArg = string | number | Buffer

/** ioredis without its own opinions about retrying: a command is written at once to this socket or refused. */
const plain = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableAutoPipelining: false,
  enableReadyCheck: false,
  retryStrategy: () => null,
  reconnectOnError: null,
  keyPrefix: '',
  connectTimeout: 5_000,
  // Subscribing and asking are on sockets of their own, so nothing of RESP3 is needed.
  protocol: 2,
  disableClientInfo: true,
} as const satisfies RedisOptions

export class Link {
  readonly #redis: Redis
  readonly #hangMs: number
  #inFlight = 0
  #referenced = true
  #open = false
  #ended: Error | undefined
  #cause: Error | undefined
  #watchdog: NodeJS.Timeout | undefined
  #onEnd: ((error: Error) => void)[] = []

  constructor(options: RedisOptions, name: string, hangMs: number) {
    this.#hangMs = hangMs
    this.#redis = new Redis({ ...options, ...plain, connectionName: name })
    this.#redis.on('error', (error: Error) => {
      this.#cause ??= error
    })
    this.#redis.on('end', () => this.#finish())
  }

  /** Resolves when commands can be sent. Rejects with what went wrong; then the link has ended. */
  async connect(): Promise<void> {
    // A server that takes the connection and then says nothing would hold it for ever.
    const timer = setTimeout(() => this.destroy(new Error(`no answer within ${this.#hangMs} ms`)), this.#hangMs)
    const connecting = this.#redis.connect()
    setImmediate(() => this.#applyReference())
    try {
      await connecting
    } catch (error) {
      throw this.#ended ?? this.#cause ?? error
    } finally {
      clearTimeout(timer)
    }
    if (this.#ended) throw this.#ended
    this.#open = true
    this.#watch()
    this.#applyReference()
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Sends one command. Rejects with a RedisFailure. Bulk strings come as Buffers. */
  call(command: string, args: RedisArg[]): Promise<unknown> {
    if (!this.#open || !this.#redis.stream.writable) {
      this.#open = false
      const cause = this.#ended ?? this.#cause
      return Promise.reject(
        new RedisFailureError('unsent', `The connection is down${cause === undefined ? '' : ` (${cause.message})`}`, {
          cause,
        }),
      )
    }
    this.#inFlight++
    return this.#redis.callBuffer(command, args).then(this.#answered, this.#failed)
  }

  readonly #answered = (reply: unknown): unknown => {
    this.#inFlight--
    return reply
  }

  readonly #failed = (error: Error): never => {
    this.#inFlight--
    if (error.name === 'ReplyError') throw fromReply(error)
    // Only a socket that goes answers like this; its end follows.
    this.#open = false
    throw new RedisFailureError(
      'unknown',
      `The connection failed before the answer (${(this.#cause ?? error).message})`,
      { cause: this.#cause ?? error },
    )
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    this.#inFlight++
    return this.#redis.subscribe(...channels).then(this.#answered, this.#failed)
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    this.#inFlight++
    return this.#redis.unsubscribe(...channels).then(this.#answered, this.#failed)
  }

  /** Channels of one slot of a cluster; all of one name are in one. */
  subscribeSharded(channels: readonly string[]): Promise<unknown> {
    this.#inFlight++
    return this.#redis.ssubscribe(...channels).then(this.#answered, this.#failed)
  }

  unsubscribeSharded(channels: readonly string[]): Promise<unknown> {
    this.#inFlight++
    return this.#redis.sunsubscribe(...channels).then(this.#answered, this.#failed)
  }

  onMessage(listener: (channel: string, payload: Buffer) => void): void {
    const heard = (channel: Buffer, payload: Buffer): void => listener(channel.toString(), payload)
    this.#redis.on('messageBuffer', heard)
    this.#redis.on('smessageBuffer', heard)
  }

  /** The server has ended subscriptions, or refuses them: their slot is elsewhere now. */
  onSlotMoved(listener: () => void): void {
    this.#redis.on('moved', listener)
  }

  /** Called once, when the socket has gone and every command has been answered or failed. */
  onEnd(listener: (error: Error) => void): void {
    if (this.#ended) listener(this.#ended)
    else this.#onEnd.push(listener)
  }

  /** Ends it in an orderly way: when this resolves the server has closed it too, if it answers within `patienceMs`. */
  async end(patienceMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.onEnd(() => resolve()))
    if (this.#open) {
      const timer = setTimeout(() => this.destroy(new Error('the connection was closed')), patienceMs)
      this.#redis.quit().catch(() => undefined)
      await ended
      clearTimeout(timer)
    } else {
      this.destroy(new Error('the connection was closed'))
      await ended
    }
  }

  /** Ends it now, without waiting for the other side. */
  destroy(error: Error): void {
    this.#open = false
    if (this.#ended) return
    this.#cause ??= error
    clearInterval(this.#watchdog)
    // disconnect() alone would wait two seconds for a peer that does not answer.
    this.#redis.disconnect()
    this.#redis.stream?.destroy()
  }

  /** Whether the socket keeps the program running. */
  reference(on: boolean): void {
    if (this.#referenced === on) return
    this.#referenced = on
    this.#applyReference()
  }

  #applyReference(): void {
    const { stream } = this.#redis
    if (!stream) return
    // A socket without a handle, before it connects and after it has ended, keeps each of these calls as a listener: the last one counts.
    stream.off('connect', stream.ref).off('connect', stream.unref)
    if (this.#referenced) stream.ref()
    else stream.unref()
  }

  /** A socket that hangs without closing: something is in flight and no byte has come for a while. Counted in looks, so that a blocked event loop is not taken for a silent server. */
  #watch(): void {
    const looks = 5
    let silent = 0
    let seen = -1
    this.#watchdog = setInterval(() => {
      const { bytesRead } = this.#redis.stream
      silent = this.#inFlight > 0 && bytesRead === seen ? silent + 1 : 0
      seen = bytesRead
      if (silent >= looks) this.destroy(new Error(`Redis has not answered for ${this.#hangMs} ms`))
    }, this.#hangMs / looks)
    this.#watchdog.unref()
  }

  #finish(): void {
    if (this.#ended) return
    this.#open = false
    clearInterval(this.#watchdog)
    this.#ended = this.#cause ?? new Error('the connection was closed')
    for (const listener of this.#onEnd.splice(0)) listener(this.#ended)
  }
}
