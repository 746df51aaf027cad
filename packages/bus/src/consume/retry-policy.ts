/** What becomes of a message whose run failed. Pure: chance and policy come in, a verdict goes out. */
import type { Duration } from '../api/duration.js'
import { RetryAfterError, UnrecoverableError } from '../errors/index.js'
import { durationMs } from '../validate/durations.js'

/** A checked policy; `retry: false` is one attempt. */
export interface RetrySettings {
  readonly attempts: number
  readonly backoff: 'exponential' | 'fixed' | ((attempt: number, error: Error) => Duration)
  readonly delayMs: number
  readonly maxDelayMs: number
  readonly jitter: number
}

export const defaultRetry: RetrySettings = {
  attempts: 20,
  backoff: 'exponential',
  delayMs: 1_000,
  maxDelayMs: 300_000,
  jitter: 0.5,
}

export const noRetry: RetrySettings = { ...defaultRetry, attempts: 1 }

/** What a group has on record of a message. */
export interface Failures {
  readonly attempts: number
  readonly crashes: number
}

export type Verdict =
  | { readonly kind: 'retry'; readonly delayMs: number; readonly counted: boolean }
  | { readonly kind: 'dead'; readonly reason: 'attempts' | 'unrecoverable' }

/**
 * Whether a message has used up its attempts before it runs. One crash is forgiven: it is counted for all that ran with the guilty message, and
 * the innocent must not die for a neighbour; after one crash a message runs alone, so further ones are its own.
 */
export const isExhausted = (policy: RetrySettings, recorded: Failures): boolean =>
  recorded.attempts - Math.min(recorded.crashes, 1) >= policy.attempts

/**
 * @param attempt which attempt failed, from 1
 * @param random a number from 0 to 1, below 1
 */
export function judge(policy: RetrySettings, attempt: number, error: Error, random: number): Verdict {
  if (error instanceof UnrecoverableError) return { kind: 'dead', reason: 'unrecoverable' }
  if (error instanceof RetryAfterError) {
    if (!error.countAttempt) return { kind: 'retry', delayMs: error.delayMs, counted: false }
    if (attempt < policy.attempts) return { kind: 'retry', delayMs: error.delayMs, counted: true }
  }
  if (attempt >= policy.attempts) return { kind: 'dead', reason: 'attempts' }
  return { kind: 'retry', delayMs: backoffMs(policy, attempt, error, random), counted: true }
}

/** The jitter shortens, so that `maxDelay` is a bound and a delay is at least (1 - jitter) of its full length. */
function backoffMs(policy: RetrySettings, attempt: number, error: Error, random: number): number {
  const fullMs = Math.min(fullDelayMs(policy, attempt, error), policy.maxDelayMs)
  return Math.round(fullMs * (1 - policy.jitter * random))
}

function fullDelayMs({ backoff, delayMs, maxDelayMs }: RetrySettings, attempt: number, error: Error): number {
  if (backoff === 'fixed') return delayMs
  if (backoff === 'exponential') return delayMs * 2 ** Math.min(attempt - 1, 52)
  try {
    return durationMs('retry.backoff', backoff(attempt, error))
  } catch {
    // A faulty function must not lose the message, nor run it in a tight loop.
    return maxDelayMs
  }
}
