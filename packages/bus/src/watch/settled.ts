/**
 * Waiting for a message's end.
 *
 * 1. What is known of it is asked: one that ended and whose end was kept, or a dead letter, needs no more.
 * 2. Of one that has not ended the events are listened to, and then it is asked again: no end falls between.
 * 3. An event tells its end. Where events may have been missed, it is asked again.
 */
import { type SettledReply, settled as settledScript } from '@busway/lua'
import type { DeadReason, Report, Settled, SettledOptions, TopicEvent } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import { closedError } from '../redis/connection.js'
import type { ScriptRunner } from '../seams.js'
import { type Catalog, isChecking, validateReply } from '../topics/index.js'
import { durationMs } from '../validate/durations.js'
import { checkGroup, shown } from '../validate/names.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { toldError } from './told.js'
import type { PlacesOf } from './topic-watch.js'
import type { Place, Watches } from './watches.js'

/** Longer ones would make `setTimeout` fire at once. */
const LONGEST_MS = 2 ** 31 - 1

export interface SettledParts {
  readonly runner: Pick<ScriptRunner, 'runRepeatable' | 'problem'>
  readonly catalog: Pick<Catalog, 'definition'>
  readonly watches: Pick<Watches, 'isListening' | 'wait'>
  readonly placesOf: PlacesOf
}

export class SettledWaits {
  readonly #parts: SettledParts
  readonly #waiting = new Set<Wait>()
  #isClosed = false

  constructor(parts: SettledParts) {
    this.#parts = parts
  }

  /** Resolves and rejects as `TopicAdmin.settled` does; the topic's name is checked. */
  async settled(topic: string, id: string, options?: SettledOptions): Promise<Settled> {
    checkOptionsObject('settled', options)
    checkNames('settled', options ?? {}, ['group', 'timeout', 'signal'])
    const { group, timeout = '10s', signal } = options ?? {}
    if (typeof id !== 'string' || id === '') throw invalidOption('id', id, "a message's id")
    if (group !== undefined) checkGroup(group)
    const timeoutMs = durationMs('timeout', timeout, 1)
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalidOption('signal', signal, 'an AbortSignal')
    signal?.throwIfAborted()
    if (this.#isClosed) throw closedError()
    const wait = new Wait(this.#parts, topic, id, group, timeoutMs)
    this.#waiting.add(wait)
    const aborted = (): void => wait.fail(signal?.reason)
    signal?.addEventListener('abort', aborted, { once: true })
    try {
      return await this.#validated(topic, await wait.ended)
    } finally {
      this.#waiting.delete(wait)
      signal?.removeEventListener('abort', aborted)
    }
  }

  /** Nobody is told any more. */
  close(error: BuswayError): void {
    this.#isClosed = true
    for (const wait of this.#waiting) wait.fail(error)
  }

  async #validated(topic: string, settled: Settled): Promise<Settled> {
    const reply = this.#parts.catalog.definition(topic)?.reply
    if (settled.outcome !== 'done' || !('result' in settled) || reply === undefined || !isChecking(reply))
      return settled
    return { ...settled, result: await validateReply(topic, reply, settled.result) }
  }
}

class Wait {
  readonly ended: Promise<Settled>
  readonly #parts: SettledParts
  readonly #topic: string
  readonly #id: string
  readonly #group: string | undefined
  readonly #timeoutMs: number
  readonly #untilMs: number
  readonly #timer: NodeJS.Timeout
  #settle: { resolve: (settled: Settled) => void; reject: (error: unknown) => void }
  #place: Place | undefined
  #isOver = false
  #wasAnswered = false

  constructor(parts: SettledParts, topic: string, id: string, group: string | undefined, timeoutMs: number) {
    this.#parts = parts
    this.#topic = topic
    this.#id = id
    this.#group = group
    this.#timeoutMs = timeoutMs
    this.#untilMs = performance.now() + timeoutMs
    this.#settle = { resolve: () => undefined, reject: () => undefined }
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#timer = setTimeout(() => this.fail(this.#timedOut()), Math.min(timeoutMs, LONGEST_MS))
    this.#begin().catch((error: unknown) => this.fail(error))
  }

  fail(error: unknown): void {
    if (this.#over()) this.#settle.reject(error)
  }

  #tell(settled: Settled): void {
    if (this.#over()) this.#settle.resolve(settled)
  }

  #over(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#place?.leave()
    return true
  }

  async #begin(): Promise<void> {
    const { watches } = this.#parts
    if (!watches.isListening(this.#topic)) await this.#ask()
    if (this.#isOver) return
    this.#place = watches.wait(this.#topic, this.#id, {
      event: (event) => this.#heard(event),
      missed: () => void this.#ask().catch((error: unknown) => this.fail(error)),
    })
    await this.#place.ready
    await this.#ask()
  }

  async #ask(): Promise<void> {
    if (this.#isOver) return
    const request = { id: this.#id, ...(this.#group === undefined ? {} : { group: this.#group }) }
    const { runner, placesOf } = this.#parts
    const places = await placesOf(this.#topic)
    const leftMs = Math.max(1, this.#untilMs - performance.now())
    const replies = await Promise.all(
      places.map((place) => runner.runRepeatable(settledScript, place, request, leftMs)),
    )
    const open = replies.some((reply) => reply.open)
    const ended = replies.flatMap((reply) => reply.ended)
    this.#wasAnswered = true
    const known = firstOf(ended)
    if (known !== undefined) this.#tell(known)
    else if (!open) this.fail(this.#unknown(ended.map(({ group }) => group)))
  }

  #heard(event: TopicEvent): void {
    if (event.type !== 'settled' && event.type !== 'dead') return
    const { id, group, error } = event
    if (this.#group !== undefined && group !== undefined && group !== this.#group) return
    const outcome = event.type === 'settled' ? event.outcome : outcomeOf(event.reason)
    this.#tell({
      id,
      ...(group === undefined ? {} : { group }),
      outcome,
      ...('result' in event ? { result: event.result } : {}),
      ...(error === undefined ? {} : { error }),
    })
  }

  #unknown(endedIn: readonly (string | undefined)[]): BuswayError {
    const message = `${shown(this.#id)}${this.#group === undefined ? '' : ` for the group ${this.#group}`}`
    const what =
      endedIn.length === 0
        ? `${this.#topic} has no message ${message}, and nothing was kept of its end. Correct the id, or publish it with keepResult.`
        : `The message ${shown(this.#id)} of ${this.#topic} had ended before (in ${endedIn.join(', ')}), and how was not kept. Publish it with keepResult.`
    return new BuswayError('UNKNOWN_MESSAGE', what, { details: { topic: this.#topic, id: this.#id } })
  }

  #timedOut(): BuswayError {
    const { problem } = this.#parts.runner
    if (problem !== undefined) return problem
    const by = this.#group === undefined ? '' : ` in the group ${this.#group}`
    const advice = this.#wasAnswered
      ? 'Raise the timeout, or see whether the topic has a consumer and what its retries take.'
      : 'Redis has not answered either.'
    return new BuswayError(
      'SETTLED_TIMEOUT',
      `The message ${shown(this.#id)} of ${this.#topic} had not ended${by} within ${this.#timeoutMs} ms. ${advice}`,
      { details: { topic: this.#topic, id: this.#id, timeoutMs: this.#timeoutMs } },
    )
  }
}

const outcomeOf = (reason: DeadReason): Settled['outcome'] =>
  reason === 'expired' || reason === 'cancelled' ? reason : 'dead'

/** The first to end it of those that said how. */
function firstOf(ended: SettledReply['ended']): Settled | undefined {
  let first: { time: number; settled: Settled } | undefined
  for (const { report } of ended) {
    if (report === undefined) continue
    try {
      const { time, id, group, outcome, error, ...rest } = JSON.parse(report) as Report & { time: number }
      if (first !== undefined && first.time <= time) continue
      const settled: Settled = {
        id,
        ...(group === undefined ? {} : { group }),
        outcome,
        ...('result' in rest ? { result: rest.result } : {}),
        ...(error === undefined ? {} : { error: toldError(error) }),
      }
      first = { time, settled }
    } catch {
      // Another client wrote it, and not as docs/wire-format.md says.
    }
  }
  return first?.settled
}
