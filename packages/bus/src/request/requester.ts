/**
 * Requests of this bus and their replies.
 *
 * 1. `request` publishes the message with the address of whoever waits: this bus and a number. It leaves at once; the channel of the topic's replies is
 *    subscribed to meanwhile, on the connection that wakes sessions.
 * 2. Where a group ends the message, the script sends its report to that channel; if nobody is subscribed, it leaves it in a list.
 * 3. Subscribed for the first time or again, the list is looked through: no reply falls between.
 * 4. The first result settles the request. A group that had nothing to say, or failed, does so only if no other is left.
 *
 * A reply whose request is not known (any more) is dropped. Timers of those that wait keep the program running; the subscription does not.
 */
import type { Duration, Logger, PublishOptionsCore, Receipt, ReportRequester } from '../api/index.js'
import { BuswayError, type RequestError } from '../errors/index.js'
import { partitionNames } from '../partitions/names.js'
import type { BusPublisher } from '../publish/publisher.js'
import type { WakeSubscriber } from '../redis/wakes.js'
import { type Catalog, isChecking, validateReply } from '../topics/index.js'
import { durationMs } from '../validate/durations.js'
import { checkOptionsObject, invalidOption } from '../validate/options.js'
import { failureOf, parseReply, type Reply } from './reply.js'

/** Longer ones would make `setTimeout` fire at once. */
const LONGEST_MS = 2 ** 31 - 1
/** Replies taken from a list by one command. */
const STEP = 100

export interface RequesterParts {
  readonly namespace: string
  readonly wakes: Pick<WakeSubscriber, 'busId' | 'subscribeReplies' | 'onBack'>
  readonly runner: { command(name: string, args: (string | number)[]): Promise<unknown> }
  readonly publisher: Pick<BusPublisher, 'publishOne'>
  readonly catalog: Pick<Catalog, 'definition' | 'partitions'>
  readonly log: Logger
}

/** A request that waits. */
interface Waiting {
  readonly topic: string
  failure: RequestError | undefined
  resolve(result: unknown): void
  reject(error: unknown): void
}

type Publish = (requester: ReportRequester, over: AbortSignal) => Promise<Receipt>

export class Requester {
  readonly #parts: RequesterParts
  readonly #waiting = new Map<string, Waiting>()
  readonly #places = new Set<string>()
  #last = 0
  #isClosed = false

  constructor(parts: RequesterParts) {
    this.#parts = parts
    parts.wakes.onBack(() => {
      const awaited = new Set([...this.#waiting.values()].map(({ topic }) => topic))
      for (const topic of awaited) for (const place of this.#placesOf(topic)) void this.#collect(place)
    })
  }

  /** Resolves and rejects as `bus.request` does. */
  async request(topic: string, body: unknown, given: object): Promise<unknown> {
    checkOptionsObject('request', given)
    const { timeout = '10s', signal, ...options } = given as PublishOptionsCore & { timeout?: Duration }
    const timeoutMs = durationMs('timeout', timeout, 1)
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalidOption('signal', signal, 'an AbortSignal')
    signal?.throwIfAborted()
    const { publisher, catalog } = this.#parts
    // What nobody waits for any longer is not worth running, unless the caller says so.
    const publish: Publish = (requester, over) =>
      publisher.publishOne(topic, body, { expiresIn: timeoutMs, ...options, signal: over }, requester)
    const answer = await this.#ask(topic, timeoutMs, signal, publish)
    const reply = catalog.definition(topic)?.reply
    return reply === undefined || !isChecking(reply) ? answer : validateReply(topic, reply, answer)
  }

  /** Nobody is answered any more. */
  close(error: BuswayError): void {
    this.#isClosed = true
    for (const waiting of this.#waiting.values()) waiting.reject(error)
  }

  #ask(topic: string, timeoutMs: number, signal: AbortSignal | undefined, publish: Publish): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const number = String(++this.#last)
      const over = new AbortController()
      let published: Receipt | undefined
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(number)
        signal?.removeEventListener('abort', aborted)
      }
      const waiting: Waiting = {
        topic,
        failure: undefined,
        resolve: (result) => {
          settle()
          resolve(result)
        },
        reject: (error) => {
          settle()
          reject(error)
          // What is not sent yet is not sent any more.
          over.abort(error)
        },
      }
      const timer = setTimeout(
        () => waiting.reject(waiting.failure ?? timedOut(topic, timeoutMs, published)),
        Math.min(timeoutMs, LONGEST_MS),
      )
      const aborted = (): void => waiting.reject(signal?.reason)
      signal?.addEventListener('abort', aborted, { once: true })
      this.#waiting.set(number, waiting)
      const requester: ReportRequester = { requester: this.#parts.wakes.busId, request: number, timeoutMs }
      try {
        publish(requester, over.signal).then(
          (receipt) => {
            published = receipt
            if (receipt.status === 'duplicate') waiting.reject(duplicate(receipt))
          },
          (error) => waiting.reject(error),
        )
        // Of a topic that was found to be one.
        for (const place of this.#placesOf(topic)) this.#listen(place)
      } catch (error) {
        waiting.reject(error)
      }
    })
  }

  /** Replies come from where the topic is in Redis: itself, or its partitions. */
  #placesOf(topic: string): readonly string[] {
    return partitionNames(topic, this.#parts.catalog.partitions(topic))
  }

  #listen(place: string): void {
    if (this.#places.has(place)) return
    this.#places.add(place)
    this.#parts.wakes
      .subscribeReplies(place, (text) => this.#told(text))
      .then(
        () => this.#collect(place),
        (error) => {
          this.#places.delete(place)
          if (!this.#isClosed)
            this.#parts.log.warn(
              { topic: place, error: String(error) },
              'Replies cannot be heard; their requests will time out',
            )
        },
      )
  }

  /** What came while nobody was subscribed. */
  async #collect(place: string): Promise<void> {
    const { runner, namespace, wakes, log } = this.#parts
    const key = `${namespace}:{${place}}:replies:${wakes.busId}`
    try {
      for (let more = !this.#isClosed; more; ) {
        const replies = ((await runner.command('LPOP', [key, STEP])) ?? []) as Buffer[]
        for (const reply of replies) this.#told(String(reply))
        more = replies.length === STEP && !this.#isClosed
      }
    } catch (error) {
      if (!this.#isClosed)
        log.warn({ topic: place, error: String(error) }, 'Replies could not be read; their requests may time out')
    }
  }

  #told(text: string): void {
    const reply = parseReply(text)
    const waiting = reply === undefined ? undefined : this.#waiting.get(reply.request)
    if (reply !== undefined && waiting !== undefined) answer(waiting, reply)
  }
}

function answer(waiting: Waiting, reply: Reply): void {
  if (reply.outcome === 'done' && 'result' in reply) {
    waiting.resolve(reply.result)
    return
  }
  waiting.failure ??= failureOf(waiting.topic, reply)
  if (!reply.last) return
  if (waiting.failure === undefined) waiting.resolve(undefined)
  else waiting.reject(waiting.failure)
}

function timedOut(topic: string, timeoutMs: number, published: Receipt | undefined): BuswayError {
  const state =
    published === undefined
      ? 'Redis has not confirmed the request either.'
      : 'It may still be handled. Raise the timeout, or see whether the topic has a consumer and what its retries take.'
  return new BuswayError('REQUEST_TIMEOUT', `No reply from ${topic} within ${timeoutMs} ms. ${state}`, {
    details: { topic, timeoutMs, id: published?.id },
  })
}

const duplicate = ({ id, topic, duplicateOf }: Receipt & { status: 'duplicate' }): BuswayError =>
  new BuswayError(
    'PUBLISH_REJECTED',
    `The request ${id} to ${topic} is a duplicate of ${duplicateOf}, and its reply goes to whoever asked first. Leave out the id, or see what made it one.`,
    { details: { reason: 'duplicate', duplicateOf } },
  )
