/** What a failure means to the caller, as an error that says what to do. */
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import type { RedisAddress } from './address.js'
import { reasonOf } from './outage-log.js'
import { refusal } from './refusal.js'

/** For a call that had no effect, or whose effect may be repeated. */
export function explainFailure(error: unknown, { text, advice }: RedisAddress): BuswayError {
  if (error instanceof BuswayError) return error
  if (!isRedisFailure(error)) {
    const why = error instanceof Error ? reasonOf(error) : String(error)
    return new BuswayError('REDIS_FAILED', `Redis at ${text}: ${why}`, { cause: error })
  }
  const explained = refusal(error, text)
  if (explained instanceof BuswayError) return explained
  switch (error.reply) {
    case 'OOM':
      return new BuswayError(
        'REDIS_OUT_OF_MEMORY',
        `Redis at ${text} is over its maxmemory and refused the write; nothing was written. Raise maxmemory or let consumers catch up, then try again.`,
        { cause: error },
      )
    case 'READONLY':
      return new BuswayError(
        'REDIS_REFUSED',
        `Redis at ${text} is a read-only replica; nothing was written. Connect to its primary.`,
        { cause: error },
      )
    case 'MISCONF':
      return new BuswayError(
        'REDIS_REFUSED',
        `Redis at ${text} cannot save to disk and refuses writes; nothing was written. See its log, and its disk (${error.message}).`,
        { cause: error },
      )
    default:
  }
  if (error.kind === 'failed') {
    return new BuswayError(
      'REDIS_FAILED',
      `Redis at ${text} could not run a script: ${error.message.replace(/\.$/, '')}. Check that the namespace belongs to Busway alone; otherwise please report it.`,
      { cause: error },
    )
  }
  return new BuswayError('REDIS_UNAVAILABLE', `Redis at ${text} did not take the call (${error.message}). ${advice}.`, {
    cause: error,
  })
}
