/** How far one run is, for whoever watches: one value is on its way at a time, and of those that come meanwhile only the newest goes. */
import { BuswayError } from '../errors/index.js'

const LIMIT = 64 * 1024

export class RunProgress {
  readonly #send: (json: string) => Promise<void>
  #newest: string | undefined
  #isUnderWay = false

  constructor(send: (json: string) => Promise<void>) {
    this.#send = send
  }

  set(json: string): void {
    this.#newest = json
    if (!this.#isUnderWay) void this.#sendAll()
  }

  /** The run is over: what waits goes now, so that it is ahead of the settle. */
  end(): void {
    if (this.#newest !== undefined) void this.#send(this.#newest)
    this.#newest = undefined
  }

  async #sendAll(): Promise<void> {
    this.#isUnderWay = true
    for (let json = this.#newest; json !== undefined; json = this.#newest) {
      this.#newest = undefined
      await this.#send(json)
    }
    this.#isUnderWay = false
  }
}

/** Checked whether or not anybody watches, so that a handler does the same in both cases. Throws INVALID_OPTIONS. */
export function encodeProgress(value: unknown): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(value)
  } catch (error) {
    cause = error
  }
  if (json === undefined) {
    const why = cause instanceof Error ? ` (${cause.message})` : ''
    throw new BuswayError('INVALID_OPTIONS', `ctx.progress: the value cannot be written as JSON${why}.`, { cause })
  }
  if (json.length <= LIMIT) return json
  throw new BuswayError(
    'INVALID_OPTIONS',
    `ctx.progress: the value has ${json.length.toLocaleString('en')} characters as JSON, ${LIMIT.toLocaleString('en')} can be told. Say how far it is, not what came of it.`,
  )
}
