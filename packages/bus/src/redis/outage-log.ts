/** One line when Redis cannot be reached, one when it is back: not one a try, and none for a hiccup. */
import type { Logger } from '../api/index.js'
import type { RedisAddress } from './address.js'

/** A connection that is back before this never was away. Well below the second in which an outage is told. */
const patienceMs = 500

export class OutageLog {
  readonly #address: RedisAddress
  readonly #log: Logger
  #since: number | undefined
  #timer: NodeJS.Timeout | undefined
  #told: string | undefined
  #last: Error | undefined

  constructor(address: RedisAddress, log: Logger) {
    this.#address = address
    this.#log = log
  }

  down(error: Error, isProblem: boolean): void {
    this.#last = error
    this.#since ??= performance.now()
    if (isProblem) {
      this.#tell(error.message)
      return
    }
    this.#timer ??= setTimeout(() => {
      const why = reasonOf(this.#last ?? error)
      this.#tell(
        `Redis at ${this.#address.text} cannot be reached (${why}); trying again until it answers. ${this.#address.advice}.`,
      )
    }, patienceMs).unref()
  }

  up(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#told !== undefined && this.#since !== undefined) {
      const awayMs = Math.round(performance.now() - this.#since)
      this.#log.info({ redis: this.#address.text, awayMs }, `Redis at ${this.#address.text} is there again`)
    }
    this.#since = undefined
    this.#told = undefined
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #tell(message: string): void {
    if (this.#told === message || (this.#told !== undefined && this.#last?.name !== 'BuswayError')) return
    this.#told = message
    this.#log.error({ redis: this.#address.text }, message)
  }
}

/** Node's errors of several addresses tried have a code and no message. */
export const reasonOf = (error: Error & { code?: unknown }): string =>
  error.message || (typeof error.code === 'string' ? error.code : 'no answer')
