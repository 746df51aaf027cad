/** Publishing: new requests, repeated ones, ones out of turn; and the outbox. */
import { type BatchToPublish, outboxRead, outboxTrim, publish, relay } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { OTHER_TOPIC, type Producer, type Real } from './real.js'
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

  constructor(producer: number, plans: readonly BatchPlan[]) {
    this.producer = producer
    this.plans = plans
  }

  check = () => true
  toString = () =>
    `publish(${this.plans.map(
      ({ size, how, ownId, priority, isFront, expired }) =>
        `${how === 'own' ? `own ${ownId}` : `${size} ${how}`}${priority ? ` priority ${priority}` : ''}${how === 'delayed' && isFront ? ' front' : ''}${expired ? ` expired ${expired}` : ''}`,
    )})`

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
    const request = { session: producer.session, number: producer.number, lowestUnanswered: producer.number, batches }
    const reply = await real.run(publish, request)
    producer.last = { request, reply }
    if (reply.status !== 'ok') throw new Error(`a publish in its turn was answered ${reply.status}`)

    const duplicates: unknown[] = []
    let position = 0
    const accepted: { plan: BatchPlan; messages: readonly MessageNumber[] }[] = []
    for (const [i, plan] of this.plans.entries()) {
      const own = `order-${plan.ownId}`
      if (
        plan.how === 'own' &&
        (model.ownIds.has(own) || this.plans.slice(0, i).some((p) => p.how === 'own' && p.ownId === plan.ownId))
      )
        duplicates.push({ message: position, verdict: 'duplicate', id: own })
      else accepted.push({ plan, messages: messages[i] as MessageNumber[] })
      position += (messages[i] as MessageNumber[]).length
    }
    expect(reply.outcomes).to.have.deep.members(duplicates)
    const learn = this.plans.map((_, i) => (accepted.some((a) => a.messages === messages[i]) ? messages[i] : undefined))
    real.learnPublished(
      producer,
      batches,
      learn.map((list) => list ?? []),
    )
    for (const { plan, messages } of accepted) {
      for (const [index, message] of messages.entries()) {
        if (plan.priority !== 0) model.priorities.set(message, plan.priority)
        if (isExpired(plan.expired)(index)) model.expired.add(message)
      }
      if (plan.how === 'asked') model.asked.add(messages[0] as MessageNumber)
      if (plan.how === 'own') model.ownIds.set(`order-${plan.ownId}`, messages[0] as MessageNumber)
      if (plan.how === 'delayed') model.schedule(messages, reply.nowMs + HOUR_MS, plan.isFront)
      else model.accept(messages, plan.how === 'front')
    }
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
  .tuple(producer, fc.array(plan, { minLength: 1, maxLength: 3 }))
  .map(([producer, plans]): Command => new Publish(producer, plans))
export const repeatedPublish = producer.map((producer): Command => new RepeatPublish(producer))
export const publishOutOfTurn = fc
  .tuple(producer, fc.integer({ min: 1, max: 3 }))
  .map(([producer, skip]): Command => new PublishOutOfTurn(producer, skip))
export const relayed = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.boolean(), fc.boolean())
  .map(([limit, repeat, trim]): Command => new Relay(limit, repeat, trim))
