/**
 * Firing what is due: the consumer of the pending times.
 *
 * 1. A pending time whose definition has another token is stale, and ends without effect.
 * 2. What is due is published together with the next pending time and the settle of this one: all of it happens, once, or none.
 * 3. What was missed is left out, or made good for, as the schedule says.
 */
import { type ConsumeContext, type Message, RetryAfterError, type Scope, type Subscription } from '@busway/bus'
import { type Definition, timingOf } from './definition.js'
import { isRunning } from './overlap.js'
import { type Pending, pendingOptions } from './pending.js'
import { type Store, TOPIC } from './store.js'
import { lastUntil, nextAfter } from './timing.js'
import type { ScheduleOptions } from './types.js'

const GROUP = 'schedule'
/** Its definition is written after it was published: so long it may be on the way. */
const GRACE_MS = 30_000
const AGAIN_MS = 50
/** Later than this, a time was missed. */
const LATE_MS = 60_000
/** A schedule must not end because Redis was away for a day. */
const RETRY = { attempts: 1_000_000, delay: '1s', maxDelay: '1m' } as const

export function fire(
  scope: Scope,
  store: Store,
  options: Required<Pick<ScheduleOptions, 'concurrency' | 'lease'>>,
): Subscription {
  return scope.bus.consume(TOPIC, (message, context) => fireOne(scope, store, message, context), {
    group: GROUP,
    ...options,
    retry: RETRY,
  })
}

async function fireOne(scope: Scope, store: Store, message: Message, context: ConsumeContext): Promise<void> {
  const pending = message.body as Pending
  const { definition, nowMs } = await store.read(pending.id)
  if (definition?.token !== pending.token) {
    if (nowMs - message.time.getTime() < GRACE_MS) throw new RetryAfterError(AGAIN_MS, { countAttempt: false })
    return
  }
  const due = dueOf(definition, pending.dueMs, nowMs)
  const { limit } = definition.spec
  let { fired } = pending
  let outcome: Partial<Definition> = {}
  if (due.firesMs !== undefined && !(await isHeldUp(scope, definition, due.firesMs, nowMs))) {
    outcome = await published(scope, pending.id, definition, due.firesMs, context)
    fired++
  }
  const isOver = limit !== undefined && fired >= limit
  const nextMs = isOver ? undefined : due.nextMs
  if (nextMs !== undefined) {
    const next: Pending = { id: pending.id, token: pending.token, dueMs: nextMs, fired }
    await context.publish(TOPIC, next, pendingOptions(next))
  }
  // Only to be looked at: should this be lost, or the settle that follows, it is written again by the next.
  const { nextMs: _, lastError: __, ...rest } = definition
  await store.write(pending.id, definition.token, {
    ...rest,
    ...outcome,
    fired,
    ...(nextMs === undefined ? {} : { nextMs }),
  })
}

/** What of the time that is due, and of those that passed since, is published now, and which is next. */
function dueOf(
  definition: Definition,
  dueMs: number,
  nowMs: number,
): { firesMs?: number; nextMs?: number | undefined } {
  const timing = timingOf(definition)
  const nextMs = nextAfter(timing, dueMs)
  const isMissed = nowMs - dueMs > LATE_MS || (nextMs !== undefined && nextMs <= nowMs)
  const { missed } = definition.spec
  if (!isMissed || missed === 'all') return { firesMs: dueMs, nextMs }
  const laterMs = nextAfter(timing, nowMs)
  if (missed === 'skip') return { nextMs: laterMs }
  return { firesMs: lastUntil(timing, dueMs - 1, nowMs) ?? dueMs, nextMs: laterMs }
}

async function isHeldUp(scope: Scope, definition: Definition, dueMs: number, nowMs: number): Promise<boolean> {
  const { spec, lastId, lastMs } = definition
  // Itself, if this is the second try.
  if (spec.overlap === 'allow' || lastId === undefined || lastMs === undefined || lastMs === dueMs) return false
  const held = await isRunning(scope, spec.topic, lastId, nowMs - lastMs)
  if (held) scope.log.debug({ lastId }, 'A time of a schedule is left out: what it published before has not ended')
  return held
}

async function published(
  scope: Scope,
  id: string,
  { spec }: Definition,
  dueMs: number,
  context: ConsumeContext,
): Promise<Partial<Definition>> {
  const messageId = `${id}:${dueMs}`
  const keepsResult = spec.overlap === 'skip' ? { keepResult: '2m' as const } : {}
  try {
    await context.publish(spec.topic, spec.body, { ...keepsResult, ...spec.options, id: messageId })
    return { lastMs: dueMs, lastId: messageId }
  } catch (error) {
    if (context.signal.aborted || isLost(error)) throw error
    // The body does not fit the topic any more, for example. The schedule goes on, and says so.
    scope.log.error(
      { err: error, schedule: id, topic: spec.topic },
      'A schedule could not publish; it goes on with its next time',
    )
    return { lastError: error instanceof Error ? error.message : String(error) }
  }
}

const isLost = (error: unknown): boolean => (error as { code?: unknown }).code === 'LEASE_LOST'
