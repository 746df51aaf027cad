/** What a handler throws to say more than "failed". Any other error is a retry by the subscription's policy. */
import type { Duration } from '../api/duration.js'
import { durationMs } from '../validate/durations.js'
import { BuswayError } from './busway-error.js'

/**
 * Retries the message after `delay` instead of the policy's backoff.
 *
 * - `delay`: a duration, `'30s'` or milliseconds.
 * - `countAttempt`: whether this run counts towards `attempts`; default true. False waits as long as it takes.
 *
 * @example
 * throw new RetryAfterError('30s', { countAttempt: false })
 */
export class RetryAfterError extends BuswayError {
  readonly delayMs: number
  readonly countAttempt: boolean

  constructor(delay: Duration, options: { countAttempt?: boolean; cause?: unknown } = {}) {
    const delayMs = durationMs('delay', delay)
    super('RETRY_AFTER', `The handler asked for a retry after ${delayMs} ms`, options)
    this.delayMs = delayMs
    this.countAttempt = options.countAttempt ?? true
  }

  override get name(): string {
    return 'RetryAfterError'
  }
}

/**
 * Sends the message to the dead letters now: no retry will help.
 *
 * @example
 * if (!order) throw new UnrecoverableError('the order was deleted')
 */
export class UnrecoverableError extends BuswayError {
  readonly reason: string

  constructor(reason: string, options: { cause?: unknown } = {}) {
    super('UNRECOVERABLE', reason, options)
    this.reason = reason
  }

  override get name(): string {
    return 'UnrecoverableError'
  }
}

/**
 * Thrown by batch handlers: fails the messages with these ids; the others are done. A map says why, for each: then a message can be put off
 * (`RetryAfterError`) or given up (`UnrecoverableError`) by itself. For a list, `cause` is what failed them all.
 * An id that no message of the batch has fails all of the batch, as what was meant would be lost.
 *
 * @example
 * throw new BatchError(failed.map((message) => message.id), { cause: error })
 * @example
 * throw new BatchError(new Map(failed.map(({ message, error }) => [message.id, error])))
 */
export class BatchError extends BuswayError {
  readonly ids: readonly string[]
  /** Each message's error. */
  readonly failures: ReadonlyMap<string, unknown>

  constructor(failed: readonly string[] | ReadonlyMap<string, unknown>, options: { cause?: unknown } = {}) {
    const isMap = failed instanceof Map
    const ids: readonly string[] = isMap ? [...failed.keys()] : [...(failed as readonly string[])]
    super('BATCH_FAILED', `${ids.length} of the batch's messages failed`, options)
    this.ids = ids
    this.failures = isMap ? failed : new Map(ids.map((id) => [id, options.cause ?? this]))
  }

  override get name(): string {
    return 'BatchError'
  }
}
