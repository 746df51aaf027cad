/** How many messages are published: by a guard in the publish script, or by waiting before it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BuswayError, type Outgoing, type PublishBatch, type Receipt, type Scope } from '@busway/bus'
import { PUBLISH_PREFIX, publishGuard, type TakeArgs, takeScript } from './lua.js'
import { inexact, maxWaitMs, paceOf, publishProblem } from './options.js'
import type { PublishRate } from './types.js'

export function limitPublishers(scope: Scope): void {
  scope.option('publish', 'rate', publishProblem)
  const reserve = scope.script<TakeArgs, [number, number]>(takeScript('reserve', PUBLISH_PREFIX))
  const rateOf = ({ options }: Outgoing) => options.rate as PublishRate | undefined

  const limited = async (batch: PublishBatch, next: () => Promise<Receipt[]>): Promise<Receipt[]> => {
    if ((scope.topics[batch.topic]?.partitions ?? 1) > 1)
      for (const message of batch.messages) keepTogether(batch.topic, message, rateOf(message))
    for (const [key, { rate, count, signal }] of countedBy(batch.messages, rateOf)) {
      const { everyMs, burst } = paceOf(rate)
      if (count > burst && rate.mode !== 'wait')
        throw new BuswayError(
          'INVALID_OPTIONS',
          `rate: ${count} messages at once never fit a burst of ${burst}. Publish fewer at a time, raise burst, or let them wait.`,
        )
      if (rate.mode !== 'wait') continue
      const [waitMs, taken] = await reserve(batch.topic, key, count, everyMs, burst, maxWaitMs(rate))
      if (Number(taken) === 0) throw rejected(batch.topic, Number(waitMs))
      if (Number(waitMs) > 0) await sleep(Number(waitMs), undefined, signal === undefined ? {} : { signal })
    }
    return next()
  }
  scope.publish('enrich', (batch, next) =>
    batch.messages.some((message) => rateOf(message) !== undefined) ? limited(batch, next) : next(),
  )
  scope.guard({
    ...publishGuard,
    args(message: Outgoing) {
      const rate = rateOf(message)
      if (rate === undefined || rate.mode === 'wait') return undefined
      const { everyMs, burst } = paceOf(rate)
      return [rate.key ?? '', everyMs, burst]
    },
  })
}

/** The guard counts in one partition. Who waits is counted in one place for all. */
function keepTogether(topic: string, message: Outgoing, rate: PublishRate | undefined): void {
  if (rate === undefined || rate.mode === 'wait') return
  if (rate.key === undefined) throw inexact(topic, "Give the rate a key, or let publishers wait (mode: 'wait').")
  message.partitionBy = [...(message.partitionBy ?? []), rate.key]
}

interface Counted {
  readonly rate: PublishRate
  readonly signal: AbortSignal | undefined
  count: number
}

/** The messages of one publish that are counted together. */
function countedBy(
  messages: readonly Outgoing[],
  rateOf: (message: Outgoing) => PublishRate | undefined,
): Map<string, Counted> {
  const counted = new Map<string, Counted>()
  for (const message of messages) {
    const rate = rateOf(message)
    if (rate === undefined) continue
    const known = counted.get(rate.key ?? '')
    if (known !== undefined) known.count++
    else counted.set(rate.key ?? '', { rate, count: 1, signal: message.options.signal as AbortSignal | undefined })
  }
  return counted
}

const rejected = (topic: string, retryMs: number): BuswayError =>
  new BuswayError(
    'PUBLISH_REJECTED',
    `The publish to ${topic} would have to wait ${retryMs} ms for its rate, longer than maxWait. Publish it again later, or raise maxWait.`,
    { details: { guard: 'ratelimit/publish', reason: 'rate', retryMs } },
  )
