/** Calls that may run twice: tried again after transport failures and refusals that pass, until their time is over. */
import { BuswayError } from '../errors/busway-error.js'
import { isPassing, isRedisFailure, RedisFailureError } from '../errors/redis-failure.js'
import type { RedisFailure } from '../seams.js'
import type { RedisAddress } from './address.js'
import { explainFailure } from './explain.js'

/** What is called: one server, or whichever has a topic. */
export interface Target {
  readonly address: RedisAddress
  readonly isUp: boolean
  readonly problem: BuswayError | undefined
  usable(signal?: AbortSignal): Promise<void>
  reload(): Promise<void>
  unavailable(): BuswayError
  /** Keeps the program running meanwhile: somebody waits. */
  pause(ms: number): Promise<void>
}

/** Rejects with a BuswayError. */
export async function repeat<T>(target: Target, call: () => Promise<T>, timeoutMs: number): Promise<T> {
  const until = performance.now() + timeoutMs
  let last: unknown
  for (let tries = 0; ; tries++) {
    const left = until - performance.now()
    if (left <= 0) throw explainFailure(last ?? target.unavailable(), target.address)
    try {
      if (!target.isUp) await usableWithin(target, left)
      return await answeredBy(until, call())
    } catch (error) {
      if (!isRedisFailure(error)) throw error
      last = error
      if (error.kind === 'failed' || (error.kind === 'refused' && !mayPass(error)))
        throw explainFailure(error, target.address)
      if (error.reply === 'NOSCRIPT') await target.reload().catch(() => undefined)
      else if (error.kind === 'refused') await target.pause(Math.min(50 * 2 ** tries, 500, left))
    }
  }
}

/** A socket that hangs is noticed only after seconds; whoever has less time is told when it is up. */
async function answeredBy<T>(untilMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const waitMs = Math.min(Math.max(0, untilMs - performance.now()), 2 ** 31 - 1)
    timer = setTimeout(() => reject(new RedisFailureError('unknown', 'Redis has not answered in time')), waitMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

async function usableWithin(target: Target, timeoutMs: number): Promise<void> {
  try {
    await target.usable(AbortSignal.timeout(Math.ceil(timeoutMs)))
  } catch (error) {
    throw error instanceof BuswayError ? error : (target.problem ?? target.unavailable())
  }
}

/** A replica may become the primary, a password may be set: only what cannot change by itself soon is not tried again. */
const mayPass = (failure: RedisFailure): boolean => isPassing(failure) && failure.reply !== 'OOM'
