/** The options of `consume`, checked and with their defaults. */
import type { BatchOptions, ConsumeOptionsCore, HandleMiddleware, RetryPolicy } from '../api/index.js'
import type { AnyWork, Pipeline } from '../seams.js'
import { durationMs } from '../validate/durations.js'
import { checkGroupConcurrency } from '../validate/group-concurrency.js'
import { checkGroup } from '../validate/names.js'
import { checkInteger, checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { defaultRetry, noRetry, type RetrySettings } from './retry-policy.js'

export interface ConsumeSettings {
  readonly group: string
  /** Messages at once. */
  readonly concurrency: number
  /** Of the whole group, if the option says so. */
  readonly groupConcurrency: number | undefined
  readonly batch: BatchSettings | undefined
  readonly lookaheadMs: number
  readonly leaseMs: number
  readonly timeoutMs: number | undefined
  readonly retry: RetrySettings
  readonly maxCrashes: number
  readonly deadKeepMs: number
  readonly deadMax: number
  /** A group that this makes has what the topic retains. */
  readonly fromBeginning: boolean
  readonly use: readonly HandleMiddleware[]
  /** All options as given, the plugins' own among them. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface BatchSettings {
  readonly size: number
  readonly waitMs: number
  /** Batches at once. */
  readonly concurrency: number
}

const names = [
  'group',
  'concurrency',
  'groupConcurrency',
  'lookahead',
  'lease',
  'timeout',
  'retry',
  'maxCrashes',
  'deadLetters',
  'from',
  'use',
]

/** Shorter leases would be lost to a garbage collection. */
const SHORTEST_LEASE_MS = 100
const DAY_MS = 86_400_000
/** Messages at once, in batches or not. */
const MOST_AT_ONCE = 10_000
const LARGEST_BATCH = 1_000
/** What is held unhandled for longer should have been published later. */
const LONGEST_WAIT_MS = 3_600_000

/** Throws INVALID_OPTIONS or INVALID_GROUP. */
export function checkConsumeOptions(
  service: string,
  given: unknown,
  pipeline: Pipeline,
  kind: AnyWork['kind'] = 'message',
): ConsumeSettings {
  const where = kind === 'batch' ? 'consumeBatch' : 'consume'
  checkOptionsObject(where, given)
  const all = { ...given } as Record<string, unknown>
  const pluginNames = pipeline.optionNames('consume')
  if (kind === 'message' && all.batch !== undefined && !pluginNames.includes('batch'))
    throw invalidOption('batch', all.batch, 'an option of consume: use consumeBatch')
  checkNames(where, all, [...names, ...(kind === 'batch' ? ['batch'] : []), ...pluginNames])
  for (const name of pluginNames) if (all[name] !== undefined) pipeline.checkOption('consume', name, all[name])

  const options = all as ConsumeOptionsCore
  const group = options.group ?? service
  checkGroup(group)
  checkOptionsObject('deadLetters', options.deadLetters)
  const deadLetters = options.deadLetters ?? {}
  checkNames('deadLetters', deadLetters, ['keep', 'max'])
  const groupConcurrency =
    options.groupConcurrency === undefined ? undefined : checkGroupConcurrency(options.groupConcurrency)
  const batch = kind === 'batch' ? checkBatch(all.batch, options.concurrency ?? 1, groupConcurrency) : undefined
  return {
    group,
    concurrency:
      batch === undefined
        ? checkInteger('concurrency', options.concurrency ?? 10, 1, MOST_AT_ONCE)
        : batch.size * batch.concurrency,
    batch,
    groupConcurrency,
    lookaheadMs: durationMs('lookahead', options.lookahead ?? 50),
    leaseMs: durationMs('lease', options.lease ?? 30_000, SHORTEST_LEASE_MS),
    timeoutMs: options.timeout === undefined ? undefined : durationMs('timeout', options.timeout, 1),
    retry: checkRetry(options.retry),
    maxCrashes: checkInteger('maxCrashes', options.maxCrashes ?? 3, 1, 1_000),
    deadKeepMs: durationMs('deadLetters.keep', deadLetters.keep ?? 14 * DAY_MS),
    deadMax: checkInteger('deadLetters.max', deadLetters.max ?? 100_000, 0, 10_000_000),
    fromBeginning: checkFrom(options.from),
    use: checkUse(options.use),
    options: all,
  }
}

/** `limit`: the most messages that the group may have in flight. A batch that waited for more would wait in vain. */
function checkBatch(given: unknown, concurrency: unknown, limit = LARGEST_BATCH): BatchSettings {
  if (given === undefined) throw invalidOption('batch', given, '{ size, wait }: how many messages make a batch')
  checkOptionsObject('batch', given)
  const { size, wait = 50 } = given as Partial<BatchOptions>
  checkNames('batch', given, ['size', 'wait'])
  const most = checkInteger('batch.size', size, 1, LARGEST_BATCH)
  const waitMs = durationMs('batch.wait', wait)
  if (waitMs > LONGEST_WAIT_MS) throw invalidOption('batch.wait', wait, 'an hour at most')
  return {
    size: Math.min(most, limit),
    waitMs,
    concurrency: checkInteger('concurrency', concurrency, 1, Math.floor(MOST_AT_ONCE / most)),
  }
}

function checkRetry(retry: RetryPolicy | false | undefined): RetrySettings {
  if (retry === false) return noRetry
  checkOptionsObject('retry', retry)
  const { attempts, backoff = defaultRetry.backoff, delay, maxDelay, jitter = defaultRetry.jitter } = retry ?? {}
  checkNames('retry', retry ?? {}, ['attempts', 'backoff', 'delay', 'maxDelay', 'jitter'])
  if (backoff !== 'exponential' && backoff !== 'fixed' && typeof backoff !== 'function')
    throw invalidOption('retry.backoff', backoff, "'exponential', 'fixed' or a function of the attempt and its error")
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1))
    throw invalidOption('retry.jitter', jitter, 'a number from 0 to 1')
  return {
    attempts: checkInteger('retry.attempts', attempts ?? defaultRetry.attempts, 1, 1_000_000),
    backoff,
    delayMs: delay === undefined ? defaultRetry.delayMs : durationMs('retry.delay', delay),
    maxDelayMs: maxDelay === undefined ? defaultRetry.maxDelayMs : durationMs('retry.maxDelay', maxDelay),
    jitter,
  }
}

function checkFrom(from: unknown): boolean {
  if (from === undefined || from === 'now' || from === 'beginning') return from === 'beginning'
  throw invalidOption('from', from, "'now' or 'beginning'")
}

function checkUse(use: unknown): readonly HandleMiddleware[] {
  if (use === undefined) return []
  if (Array.isArray(use) && use.every((each) => typeof each === 'function')) return use as HandleMiddleware[]
  throw invalidOption('use', use, 'a list of middlewares, functions of a delivery and next')
}
