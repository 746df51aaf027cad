/** What is ended of a topic as a whole. */
import { declare, deleteTopic, open, outboxRead, outboxTrim, publish, purgeTopic, relay } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { LEASE_MS } from './commands-consuming.js'
import { OTHER_TOPIC, type Producer, type Real } from './real.js'
import type { Model } from './state.js'

type Command = fc.AsyncCommand<Model, Real>

class PurgeTopic implements Command {
  readonly what: 'scheduled' | 'unclaimed'
  readonly limit: number
  constructor(what: 'scheduled' | 'unclaimed', limit: number) {
    this.what = what
    this.limit = limit
  }
  check = () => true
  toString = () => `purge topic(${this.what}, ${this.limit} a call)`

  async run(model: Model, real: Real): Promise<void> {
    const { scheduled, nobody } = model
    const expected = this.what === 'scheduled' ? scheduled.length : nobody.waiting().length
    let purged = 0
    for (let what: { what?: PurgeTopic['what'] } = { what: this.what }, more = true; more; what = {}) {
      const reply = await real.run(purgeTopic, { ...what, limit: this.limit, producer: 'purgeAAA' })
      purged += reply.count
      more = reply.more
      expect(await real.violations(), 'between two steps').to.deep.equal([])
    }
    expect(purged).to.equal(expected)
    if (this.what === 'scheduled') model.endScheduled()
    else model.endUnclaimed()
    await real.check(model)
  }
}

let deletions = 0

class DeleteTopic implements Command {
  readonly limit: number
  constructor(limit: number) {
    this.limit = limit
  }
  check = () => true
  toString = () => `delete topic(${this.limit} a call)`

  async run(model: Model, real: Real): Promise<void> {
    const request = { limit: this.limit, producer: 'deleteAA' }
    const groups = [...model.groups.values()]
    const isUsed =
      model.scheduled.length + model.nobody.waiting().length > 0 ||
      groups.some((group) => group.held().some((message) => !group.dead.has(message))) ||
      groups.some(({ sessions }) => [...sessions.values()].some(({ overdue }) => !overdue)) ||
      (await real.run(outboxRead, { limit: 1 })).entries.length > 0
    if (isUsed) expect((await real.run(deleteTopic, { ...request, how: 'unused' })).status).to.equal('in use')
    for (let how: { how?: 'force' | 'unused' } = { how: isUsed ? 'force' : 'unused' }; ; how = {}) {
      const reply = await real.run(deleteTopic, { ...request, ...how })
      if (reply.status !== 'ok') throw new Error(`a deletion was answered ${reply.status}`)
      expect(reply.isThere).to.equal(false)
      expect(await real.violations(), 'between two steps').to.deep.equal([])
      if (!reply.more && reply.outbox === 0) break
      if (!reply.more) await this.#relay(model, real)
    }
    for (const group of groups) model.remove(group)
    model.endScheduled()
    model.endUnclaimed()
    model.bound = undefined
    model.retain = undefined
    model.logged = []
    const left = (await real.redis.keys(real.key('*'))).map((key) => key.slice(real.key('').length))
    expect(
      left.filter((key) => !/^(p:.*|replies:.*|result:.*|groups)$/.test(key)),
      'keys of a topic that was deleted',
    ).to.deep.equal([])

    await this.#beginAnew(real)
    await real.check(model)
  }

  async #relay(model: Model, real: Real): Promise<void> {
    const { entries } = await real.run(outboxRead, { limit: 100 })
    const { applied } = await real.run(relay, { entries: entries.map(({ entry }) => entry) }, OTHER_TOPIC)
    model.relayed.push(...model.outbox.splice(0, applied))
    await real.run(outboxTrim, { destination: OTHER_TOPIC, tags: entries.map(({ tag }) => tag) })
  }

  /** Nobody goes on as if nothing had happened: who publishes and consumes declares it first. */
  async #beginAnew(real: Real): Promise<void> {
    const [producer] = real.producers as [Producer, Producer]
    const batches = [{ value: real.encode([-1]) }]
    const next = { session: producer.session, number: producer.number + 1, lowestUnanswered: 1, batches }
    expect(await real.run(publish, next)).to.deep.equal({ status: 'deleted' })
    expect(await real.run(publish, next)).to.deep.equal({ status: 'unknown' })
    const settings = { leaseMs: LEASE_MS, concurrency: 1, maxCrashes: 1, info: '', deadMax: 1, deadKeepMs: 1 }
    expect((await real.run(open, { group: 'a', session: 'nobody__~1', ...settings })).deleted).to.equal(true)
    expect((await real.run(relay, { entries: [] })).deleted).to.equal(true)
    real.producers[0] = { session: `prodC${String(++deletions).padStart(3, '0')}`, number: 0 }
    await real.run(declare, { session: real.producers[0].session })
    await real.watch()
  }
}

export const topicPurged = fc
  .tuple(fc.constantFrom('scheduled' as const, 'unclaimed' as const), fc.integer({ min: 1, max: 4 }))
  .map(([what, limit]): Command => new PurgeTopic(what, limit))
export const topicDeleted = fc.integer({ min: 1, max: 4 }).map((limit): Command => new DeleteTopic(limit))
