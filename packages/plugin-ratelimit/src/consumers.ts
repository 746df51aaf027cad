/** How many messages a group is handed: by a guard in the fetch; of each ordering key, before a run. */
import {
  BuswayError,
  type Delivery,
  type Duration,
  durationMs,
  type FetchSubject,
  type Outcome,
  RetryAfterError,
  type Scope,
} from '@busway/bus'
import { fetchGuard, keyPrefix, pauseGuard, type TakeArgs, takeScript } from './lua.js'
import { consumeProblem, paceOf } from './options.js'
import type { ConsumeRate } from './types.js'

export function limitConsumers(scope: Scope): void {
  scope.option('consume', 'rate', consumeProblem)
  const rateOf = (options: Readonly<Record<string, unknown>>) => options.rate as ConsumeRate | undefined

  scope.guard({
    ...fetchGuard,
    args({ options }: FetchSubject) {
      const rate = rateOf(options)
      if (rate === undefined || rate.by === 'key') return undefined
      const { everyMs, burst } = paceOf(rate)
      return [everyMs, burst]
    },
  })

  // Its keys are named by group and ordering key, behind nothing.
  const take = scope.script<TakeArgs, [number, number]>(takeScript('take', ''))
  scope.consume('handle', async (delivery, next) => {
    const rate = rateOf(delivery.options)
    const { topic, key } = delivery.message
    if (rate?.by !== 'key' || key === undefined) return next()
    const { everyMs, burst } = paceOf(rate)
    const [waitMs, taken] = await take(topic, keyPrefix(delivery.group) + key, 1, everyMs, burst, 0)
    if (Number(taken) === 1) return next()
    // Its key waits with it, and others go on.
    throw new RetryAfterError(Number(waitMs), { countAttempt: false })
  })

  const pauses = new WeakMap<Delivery, number>()
  scope.context('rateLimit', (delivery) => (pause: Duration): never => {
    const pauseMs = durationMs('rateLimit', pause)
    if (rateOf(delivery.options) === undefined)
      throw new BuswayError(
        'INVALID_OPTIONS',
        'ctx.rateLimit is for subscriptions with a rate, which says what is held up: give consume one.',
      )
    pauses.set(delivery, pauseMs)
    throw new RetryAfterError(pauseMs, { countAttempt: false })
  })
  scope.guard({
    ...pauseGuard,
    args(delivery: Delivery, outcome: Outcome) {
      const pauseMs = outcome.kind === 'retry' ? pauses.get(delivery) : undefined
      const rate = rateOf(delivery.options)
      if (pauseMs === undefined || rate === undefined) return undefined
      const { everyMs, burst } = paceOf(rate)
      return [pauseMs, everyMs, burst, rate.by === 'key' ? (delivery.message.key ?? '') : '']
    },
  })
}
