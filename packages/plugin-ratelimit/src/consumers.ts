/** How many messages a group is handed, in all or of each ordering key: by guards in the fetch. */
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
import { groupGuard, keyGuard, pauseGuard } from './lua.js'
import { consumeProblem, inexact, paceOf } from './options.js'
import type { ConsumeRate } from './types.js'

export function limitConsumers(scope: Scope): void {
  scope.option('consume', 'rate', consumeProblem)
  const rateOf = (options: Readonly<Record<string, unknown>>) => options.rate as ConsumeRate | undefined

  const paceFor = (by: 'group' | 'key', options: FetchSubject['options']): [number, number] | undefined => {
    const rate = rateOf(options)
    if (rate === undefined || (rate.by ?? 'group') !== by) return undefined
    const { everyMs, burst } = paceOf(rate)
    return [everyMs, burst]
  }
  scope.guard({
    ...groupGuard,
    args({ topic, options, partitions }: FetchSubject) {
      const pace = paceFor('group', options)
      if (pace !== undefined && partitions > 1)
        throw inexact(topic, "Limit each ordering key (by: 'key'), or consume a topic without partitions.")
      return pace
    },
  })
  scope.guard({ ...keyGuard, args: ({ options }: FetchSubject) => paceFor('key', options) })

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
