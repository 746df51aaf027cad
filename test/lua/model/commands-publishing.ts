/** Publishing: new requests, repeated ones, ones out of turn; and the outbox. */
import {
  type BatchToPublish,
  declare,
  MAX_WAITING,
  outboxRead,
  outboxTrim,
  type PublishOutcome,
  type PublishRequest,
  publish,
  relay,
} from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { decide, type Entry } from './bound.js'
import { OTHER_TOPIC, type Producer, type Real, WAITER } from './real.js'
import type { MessageNumber, Model } from './state.js'

type Command = fc.AsyncCommand<Model, Real>

export const HOUR_MS = 3_600_000

interface BatchPlan {
  readonly size: number
  readonly how: 'back' | 'front' | 'delayed' | 'own' | 'asked'
  readonly ownId: number
  readonly priority: number
  readonly isFront: boolean
  /** Of every so many messages one has expired; 0 for none. */
  readonly expired: number
}

const isExpired = (expired: number) => (index: number) => expired > 0 && index % expired === 0

class Publish implements Command {
  readonly producer: number
  readonly plans: readonly BatchPlan[]
  readonly unitSize: number
  readonly keeps: boolean

  constructor(producer: number, plans: readonly BatchPlan[], unitSize: number, keeps: boolean) {
    this.producer = producer
    this.plans = plans
    this.unitSize = unitSize
    this.keeps = keeps
  }

  check = () => true
  toString = () =>
    `publish(${this.plans.map(
      ({ size, how, ownId, priority, isFront, expired }) =>
        `${how === 'own' ? `own ${ownId}` : `${size} ${how}`}${priority ? ` priority ${priority}` : ''}${how === 'delayed' && isFront ? ' front' : ''}${expired ? ` expired ${expired}` : ''}`,
    )}${this.unitSize === 1 ? '' : ` in units of ${this.unitSize}`}${this.keeps ? ' kept' : ''})`

  async run(model: Model, real: Real): Promise<void> {
    const producer = real.producers[this.producer] as Producer
    producer.number++
    const messages = this.plans.map(({ size, how }) => model.newMessages(how === 'own' || how === 'asked' ? 1 : size))
    const batches = this.plans.map(
      ({ how, ownId, priority, isFront, expired }, i): BatchToPublish => ({
        value: real.encode(messages[i] as MessageNumber[], priority, isExpired(expired), how === 'asked'),
        ...(how === 'front' && { front: true }),
        ...(how === 'delayed' && { delayMs: HOUR_MS, front: isFront }),
        ...(how === 'own' && { id: `order-${ownId}` }),
      }),
    )
    const entries = this.plans.flatMap(({ how, ownId }, batch) =>
      (messages[batch] as MessageNumber[]).map(
        (message): Entry => ({ message, batch, ownId: how === 'own' ? `order-${ownId}` : undefined }),
      ),
    )
    const sizes = this.#unitSizes(entries.length)
    const request: PublishRequest = {
      ...{ session: producer.session, number: producer.number, lowestUnanswered: producer.number, batches },
      ...(sizes && { units: sizes }),
      ...(this.keeps && { keeps: { bus: WAITER } }),
    }
    const decision = decide(model, entries, sizes ?? entries.map(() => 1), this.keeps)
    const reply = await real.run(publish, request)
    producer.last = { request, reply }
    if (reply.status !== 'ok') throw new Error(`a publish in its turn was answered ${reply.status}`)

    expect(reply.outcomes.map(withoutReason), 'outcomes').to.have.deep.members([
      ...decision.duplicates.map(({ position, id }) => ({ message: position, verdict: 'duplicate', id })),
      ...decision.refused.map(({ position, forEver }) => ({
        ...{ message: position, verdict: 'reject', guard: MAX_WAITING },
        ...(!forEver && { retryMs: 0 }),
      })),
    ])
    const learn = messages.map((list, batch) => (decision.runs.some((run) => run.batch === batch) ? list : []))
    real.learnPublished(producer, batches, learn)
    for (const { batch, messages: accepted } of decision.runs) {
      const plan = this.plans[batch] as BatchPlan
      const all = messages[batch] as MessageNumber[]
      for (const message of accepted) {
        if (plan.priority !== 0) model.priorities.set(message, plan.priority)
        if (isExpired(plan.expired)(all.indexOf(message))) model.expired.add(message)
      }
      if (plan.how === 'asked') model.asked.add(accepted[0] as MessageNumber)
      if (plan.how === 'own') model.ownIds.set(`order-${plan.ownId}`, accepted[0] as MessageNumber)
      if (plan.how === 'delayed') model.schedule(accepted, reply.nowMs + HOUR_MS, plan.isFront)
      else model.accept(accepted, plan.how === 'front')
    }
    const logged = (isFront: boolean) =>
      decision.runs.filter(({ batch }) => {
        const { how } = this.plans[batch] as BatchPlan
        return how !== 'delayed' && (how === 'front') === isFront
      })
    model.log(
      logged(false).flatMap(({ messages }) => messages),
      logged(true).map(({ messages }) => messages),
    )
    if (this.keeps && decision.need !== undefined) model.need = decision.need
    await real.check(model)
  }

  /** `undefined`: each message is a unit. */
  #unitSizes(count: number): number[] | undefined {
    if (this.unitSize === 1) return undefined
    const sizes: number[] = []
    for (let left = count; left > 0; left -= this.unitSize) sizes.push(Math.min(left, this.unitSize))
    return sizes
  }
}

const withoutReason = (outcome: PublishOutcome): object => {
  const { reason: _, ...rest } = { reason: '', ...outcome }
  return rest
}

/** The topic gets a bound of waiting messages, or loses it. */
class SetBound implements Command {
  readonly bound: number | undefined
  constructor(bound: number | undefined) {
    this.bound = bound
  }
  check = () => true
  toString = () => `set bound(${this.bound})`

  async run(model: Model, real: Real): Promise<void> {
    await real.run(declare, { settings: { maxWaiting: this.bound ?? '' } })
    model.bound = this.bound
    await real.check(model)
  }
}

/** The topic retains so many messages, or none any more. */
class SetRetention implements Command {
  readonly retain: number | undefined
  constructor(retain: number | undefined) {
    this.retain = retain
  }
  check = () => true
  toString = () => `retain(${this.retain})`

  async run(model: Model, real: Real): Promise<void> {
    await real.run(declare, { settings: { retain: this.retain === undefined ? '' : `n${this.retain}` } })
    model.retain = this.retain
    if (this.retain === undefined) model.logged = []
    await real.check(model)
  }
}

/** A request whose answer was lost, sent again: the same answer, and nothing applied. */
class RepeatPublish implements Command {
  readonly producer: number
  constructor(producer: number) {
    this.producer = producer
  }
  check = () => true
  toString = () => 'publish again'

  async run(model: Model, real: Real): Promise<void> {
    const { last } = real.producers[this.producer] as Producer
    if (!last) return
    const reply = await real.run(publish, last.request)
    if (reply.status !== 'ok' || last.reply.status !== 'ok')
      throw new Error(`repeated, it was answered ${reply.status}`)
    expect(reply.outcomes).to.deep.equal(last.reply.outcomes)
    await real.check(model)
  }
}

/** A request that overtook another, and one of a session that nobody registered: neither is applied. */
class PublishOutOfTurn implements Command {
  readonly producer: number
  readonly skip: number
  constructor(producer: number, skip: number) {
    this.producer = producer
    this.skip = skip
  }
  check = () => true
  toString = () => `publish out of turn(+${this.skip})`

  async run(model: Model, real: Real): Promise<void> {
    const { session, number } = real.producers[this.producer] as Producer
    const batches = [{ value: real.encode([0]) }]
    const ahead = { session, number: number + 1 + this.skip, lowestUnanswered: 1, batches }
    expect(await real.run(publish, ahead)).to.deep.equal({ status: 'gap', last: number })
    const foreign = { ...ahead, session: 'nobody__' }
    expect(await real.run(publish, foreign)).to.deep.equal({ status: 'unknown' })
    await real.check(model)
  }
}

/** Relays up to `limit` entries, twice if `repeat`: the second time as a relayer would that never got the answer. */
class Relay implements Command {
  readonly limit: number
  readonly repeat: boolean
  readonly trim: boolean
  constructor(limit: number, repeat: boolean, trim: boolean) {
    this.limit = limit
    this.repeat = repeat
    this.trim = trim
  }
  check = () => true
  toString = () => `relay(${this.limit}${this.repeat ? ' twice' : ''}${this.trim ? '' : ', not trimmed'})`

  async run(model: Model, real: Real): Promise<void> {
    const { entries } = await real.run(outboxRead, { limit: this.limit })
    if (entries.length === 0) {
      expect(model.outbox).to.deep.equal([])
      return
    }
    for (const { destination } of entries) expect(destination).to.equal(OTHER_TOPIC)
    const request = { entries: entries.map(({ entry }) => entry) }
    const { applied } = await real.run(relay, request, OTHER_TOPIC)
    // The head is always the lowest that was not confirmed; what was relayed before and not trimmed is skipped.
    model.relayed.push(...model.outbox.splice(0, applied))
    if (this.repeat) expect((await real.run(relay, request, OTHER_TOPIC)).applied).to.equal(0)
    if (this.trim) await real.run(outboxTrim, { destination: OTHER_TOPIC, tags: entries.map(({ tag }) => tag) })
    await real.check(model)
  }
}

const producer = fc.nat(1)
const plan = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  how: fc.oneof(
    { weight: 6, arbitrary: fc.constant<BatchPlan['how']>('back') },
    { weight: 1, arbitrary: fc.constant<BatchPlan['how']>('front') },
    { weight: 2, arbitrary: fc.constant<BatchPlan['how']>('delayed') },
    { weight: 2, arbitrary: fc.constant<BatchPlan['how']>('own') },
    { weight: 2, arbitrary: fc.constant<BatchPlan['how']>('asked') },
  ),
  ownId: fc.nat(3),
  priority: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.constantFrom(-7, -1, 1, 20) },
  ),
  isFront: fc.boolean(),
  expired: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) }),
})

export const newPublish = fc
  .tuple(
    producer,
    fc.array(plan, { minLength: 1, maxLength: 3 }),
    fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 8 })),
    fc.boolean(),
  )
  .map(([producer, plans, unitSize, keeps]): Command => new Publish(producer, plans, unitSize, keeps))
export const bounded = fc
  .option(fc.integer({ min: 1, max: 20 }), { nil: undefined, freq: 4 })
  .map((bound): Command => new SetBound(bound))
export const retained = fc
  .option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 4 })
  .map((retain): Command => new SetRetention(retain))
export const repeatedPublish = producer.map((producer): Command => new RepeatPublish(producer))
export const publishOutOfTurn = fc
  .tuple(producer, fc.integer({ min: 1, max: 3 }))
  .map(([producer, skip]): Command => new PublishOutOfTurn(producer, skip))
export const relayed = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.boolean(), fc.boolean())
  .map(([limit, repeat, trim]): Command => new Relay(limit, repeat, trim))
