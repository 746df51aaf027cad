/** How a session stands what went wrong with its requests: when it tries again, and which of them happened. Its awaits are in the table of session.ts. */
import { type GroupRef, type SyncReply, sync } from '@busway/lua'
import { BuswayError } from '../errors/index.js'
import type { RedisFailure } from '../seams.js'
import { failureOf, type InFlight, isTransportFailure } from './in-flight.js'
import { Patience } from './patience.js'
import type { SessionParts } from './session-parts.js'

/** Beside what the connection itself takes its time for. */
const RECONNECT_PAUSE_MS = 50

/** What healing needs of its session. */
export interface Healed {
  /** What the session knows to be its own, at the time of the call. */
  known(): { group: GroupRef; known: number[] }
  /** Settles that publish wait, or may go on. */
  holdPublishing(held: boolean): void
  busClosed(): void
}

export class Healing {
  readonly #parts: SessionParts
  readonly #session: Healed
  readonly #patience = new Patience()
  readonly #publishPatience = new Patience()
  readonly #abort = new AbortController()
  /** Syncs without a successful request between them. */
  #inRow = 0
  #epoch = 0
  #publishTimer: NodeJS.Timeout | undefined

  constructor(parts: SessionParts, session: Healed) {
    this.#parts = parts
    this.#session = session
  }

  /** What requests carry: Redis refuses those of an epoch before the last sync. */
  get epoch(): number {
    return this.#epoch
  }

  /** A request was answered with `ok`. */
  succeeded(published: boolean): void {
    this.#patience.reset()
    this.#inRow = 0
    if (published) this.#publishPatience.reset()
  }

  /** The session is over: nothing is waited for. */
  stop(): void {
    clearTimeout(this.#publishTimer)
    this.#abort.abort()
  }

  /** Redis wrote nothing. */
  async standRefusal(failure: RedisFailure, publishing: boolean): Promise<void> {
    const { runner, log, id } = this.#parts
    const fields = { reply: failure.reply, session: id }
    if (failure.reply === 'OOM' && publishing) {
      // Only settles that publish need memory; the others go on and free some.
      const pauseMs = this.#publishPatience.nextMs()
      log.warn({ ...fields, retryInMs: pauseMs }, 'Redis is full: settles that publish wait, the others go on')
      this.#session.holdPublishing(true)
      clearTimeout(this.#publishTimer)
      this.#publishTimer = setTimeout(() => this.#session.holdPublishing(false), pauseMs)
      return
    }
    if (failure.reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
    // The first NOSCRIPT is healed by the reload; all else takes time.
    if (failure.reply !== 'NOSCRIPT' || this.#patience.tries > 0) {
      log.warn(fields, 'Redis refuses what this consumer sends; it goes on trying')
      await this.#patience.pause(this.#abort.signal)
    } else this.#patience.nextMs()
  }

  /**
   * `stopped` may or may not have happened; the reply says it. Tries until it is answered; `undefined` if the session ended meanwhile. Each try
   * fences off all requests before it.
   */
  async synchronize(stopped: readonly InFlight[]): Promise<SyncReply | undefined> {
    const failures = stopped.map(({ answer }) => failureOf(answer))
    this.#reportFailed(failures)
    // A connection that went is waited for anyway; what else comes again at once must not keep Redis busy.
    const comesAgain = this.#inRow++ > 0 && !failures.some(isTransportFailure)
    if (comesAgain) await this.#patience.pause(this.#abort.signal)
    const { runner, topic, id, log } = this.#parts
    for (;;) {
      try {
        await runner.usable(this.#abort.signal)
        if (this.#isOver()) return undefined
        const request = { ...this.#session.known(), session: id, epoch: ++this.#epoch }
        const reply = await runner.run(sync, topic, request)
        return this.#isOver() ? undefined : reply
      } catch (error) {
        if (this.#isOver()) return undefined
        if (error instanceof BuswayError && error.code === 'BUS_CLOSED') {
          this.#session.busClosed()
          return undefined
        }
        const { kind, reply, message } = error as RedisFailure
        if (kind === 'failed')
          log.error({ error: message, session: id }, 'Redis failed to synchronize this consumer; it goes on trying')
        if (reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
        const atMostMs = isTransportFailure(error as RedisFailure) ? RECONNECT_PAUSE_MS : undefined
        await this.#patience.pause(this.#abort.signal, atMostMs)
      }
    }
  }

  /** Redis ran a request and it raised: it will hardly do better at the next try, so somebody has to know. */
  #reportFailed(failures: readonly (RedisFailure | undefined)[]): void {
    const failed = failures.find((each) => each?.kind === 'failed')
    if (failed === undefined) return
    this.#parts.log.error(
      { error: failed.message, session: this.#parts.id },
      'Redis failed to settle and fetch for this consumer; it goes on trying',
    )
  }

  #isOver(): boolean {
    return this.#abort.signal.aborted
  }
}
