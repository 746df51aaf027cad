/**
 * Nothing raises after the first write: an error at any call of Redis up to and including the first write leaves the data as it was. (Lua in Redis has no
 * rollback, so an error after a write would leave half of it.)
 */
import { createHash } from 'node:crypto'
import {
  advance,
  advancePublishing,
  cancel,
  close,
  declare,
  deleteTopic,
  type GroupRef,
  message,
  open,
  outboxRead,
  outboxTrim,
  pause,
  progress,
  publish,
  purge,
  purgeTopic,
  redrive,
  relay,
  removeGroup,
  type Script,
  type Settle,
  setConcurrency,
  sync,
  update,
  watch,
} from '@busway/lua'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { privateRedis } from '../support/private-redis.js'
import { type BatchOptions, encodeBatch } from './batch.js'
import { failingAtCall, INJECTED } from './faulty.js'
import { violations } from './invariants.js'
import { ScriptDriver } from './script-driver.js'
import { readRaw, readTopic } from './snapshot.js'

const TOPIC = 'orders'
const OTHER_TOPIC = 'invoices'
const HOUR_MS = 3_600_000
const PLENTY = 1 << 20
const producer = 'prodAAAA'

describe('an error in a script, at any call up to the first write', function () {
  this.timeout(60_000)
  const w = privateRedis()
  let scripts: ScriptDriver
  let group: GroupRef
  let published = 0

  const publishNow = (
    bodies: readonly unknown[],
    marks: { delayMs?: number; id?: string; front?: boolean } = {},
    made: BatchOptions = {},
  ) => {
    const batches = [{ value: encodeBatch(bodies, made), ...marks }]
    const number = ++published
    return scripts.run(publish, TOPIC, { session: producer, number, lowestUnanswered: number, batches })
  }
  const openSession = (session: string, of = 'a') => {
    const settings = { leaseMs: HOUR_MS, concurrency: 2, maxCrashes: 2, info: '{}', deadMax: 5, deadKeepMs: HOUR_MS }
    return scripts.run(open, TOPIC, { group: of, session, ...settings })
  }
  const request = (session: string, number: number, more: object = {}) => ({
    ...{ group, session, epoch: 0, number, want: 4, wantBytes: PLENTY },
    ...{ acks: [], releases: [], settles: [], renew: false, ...more },
  })

  /**
   * A topic in the middle of its work: two groups, batches of many and of one, leases of several sessions, one of them over, what is put off and due, dead
   * letters beyond their bound, a suspect, an outbox.
   */
  beforeEach(async () => {
    published = 0
    scripts = new ScriptDriver(w.redis, w.namespace, { redisVersion: w.server.version })
    await scripts.run(declare, TOPIC, { session: producer })
    await scripts.run(declare, OTHER_TOPIC, {})
    await publishNow([1, 2, 3])
    group = (await openSession('busAAAAA~1')).group
    await openSession('busBBBBB~1', 'b')
    await publishNow([4, 5, 6, 7, 8])
    await publishNow([9], { id: 'own' })
    for (const n of [10, 11, 12, 13]) await publishNow([n])
    await publishNow([14, 15], { delayMs: HOUR_MS })
    await publishNow([16, 17], { delayMs: HOUR_MS, front: true }, { properties: [[3, '5']], expiresAtMs: [0, 1] })
    const retry = (lease: number, index: number): Settle => ({
      ...{ lease, index, outcome: 'retry', delayMs: HOUR_MS, counted: true, error: '{}' },
    })
    const dead = (lease: number, index: number): Settle => ({
      lease,
      index,
      outcome: 'dead',
      reason: 'attempts',
      error: '{}',
    })
    const staged = [{ topic: OTHER_TOPIC, batch: { value: encodeBatch(['staged']) } }]
    await scripts.run(advance, TOPIC, request('busAAAAA~1', 1, { want: 9 }))
    // Leases: 1 is [1, 2, 3], 2 is [4 .. 8], 3 is [own].
    await scripts.run(advancePublishing, TOPIC, {
      ...request('busAAAAA~1', 2, { want: 2 }),
      settles: [retry(1, 0), dead(1, 2), dead(2, 4), { lease: 3, index: 0, outcome: 'done', staged }],
    })
    await openSession('busCCCCC~1')
    await scripts.run(advance, TOPIC, request('busCCCCC~1', 1, { want: 2 }))
    await w.redis.zadd(scripts.key(TOPIC, `${group}:sessions`), 1, 'busCCCCC~1')
    for (const key of ['scheduled', `${group}:retry`]) {
      const members = await w.redis.zrange(scripts.key(TOPIC, key), '0', '-1')
      for (const member of members) await w.redis.zadd(scripts.key(TOPIC, key), 1, member)
    }
    expect(violations(await readTopic(w.redis, w.namespace, TOPIC))).to.deep.equal([])
  })

  /** Raises at the first call, the second ..., until the script gets through; returns what it was stopped at. */
  async function injectEverywhere<Q, A>(script: Script<Q, A>, request: Q, topic = TOPIC): Promise<string[]> {
    const before = await readRaw(w.redis, `${w.namespace}:*`)
    const stoppedAt: string[] = []
    for (let k = 1; ; k++) {
      const outcome = await scripts.run(script, topic, request, failingAtCall(k)).then(
        () => 'got through',
        (error) => String(error),
      )
      if (outcome === 'got through') break
      expect(outcome, `call ${k}`).to.contain(INJECTED)
      expect([...(await readRaw(w.redis, `${w.namespace}:*`))], outcome).to.deep.equal([...before])
      stoppedAt.push(/injected fault \d+ (\w+)/.exec(outcome)?.[1] as string)
    }
    for (const topic of [TOPIC, OTHER_TOPIC])
      expect(violations(await readTopic(w.redis, w.namespace, topic)), 'after it got through').to.deep.equal([])
    expect(stoppedAt.length, 'calls before the first write').to.be.greaterThan(0)
    return stoppedAt
  }

  describe('of a publish', () => {
    const cases: Record<string, Parameters<typeof publish.args>[0]['batches']> = {
      'of one': [{ value: encodeBatch([1]) }],
      'of a batch': [{ value: encodeBatch([1, 2, 3]) }],
      'of several batches, ids that exist, delays, at the front': [
        { value: encodeBatch([1, 2]) },
        { value: encodeBatch([3]), id: 'own' },
        { value: encodeBatch([4]), id: 'other' },
        { value: encodeBatch([5]), delayMs: HOUR_MS },
        { value: encodeBatch([6]), front: true },
      ],
    }
    for (const [what, batches] of Object.entries(cases)) {
      it(what, async () => {
        const number = published + 1
        await injectEverywhere(publish, { session: producer, number, lowestUnanswered: number, batches })
      })
    }
    for (const keeps of [undefined, {}, { bus: 'busWWWWW' }]) {
      it(`that there is no room for, in part${keeps === undefined ? '' : `, and is kept${keeps.bus === undefined ? '' : ' by one who listens'}`}`, async () => {
        await scripts.run(declare, TOPIC, { settings: { maxWaiting: 16 } })
        const number = published + 1
        const batches = [{ value: encodeBatch([1, 2, 3, 4]) }, { value: encodeBatch([5]), id: 'other' }]
        const request = { session: producer, number, lowestUnanswered: number, batches, units: [2, 3] }
        await injectEverywhere(publish, keeps === undefined ? request : { ...request, keeps })
      })
    }
    it('that is repeated', async () => {
      const batches = [{ value: encodeBatch([1]) }]
      await injectEverywhere(publish, { session: producer, number: published, lowestUnanswered: published, batches })
    })
  })

  describe('of an advance', () => {
    const lone = { lease: 4, index: 0 }
    const one = { lease: 2, index: 1 }
    const settles: Record<string, Settle> = {
      retry: { ...one, outcome: 'retry', delayMs: 5, counted: true, error: '{}' },
      'retry of a message that was alone': { ...lone, outcome: 'retry', delayMs: HOUR_MS, counted: true, error: '{}' },
      'dead letter': { ...one, outcome: 'dead', reason: 'unrecoverable', error: '{}' },
      'dead letter of a message that was alone': { ...lone, outcome: 'dead', reason: 'attempts', error: '{}' },
      result: { ...one, outcome: 'done', result: '1' },
      'publish to the same topic': {
        ...one,
        outcome: 'done',
        staged: [{ topic: TOPIC, batch: { value: encodeBatch([1]) } }],
      },
      'publish to another topic': {
        ...{ ...one, outcome: 'done' },
        staged: [{ topic: OTHER_TOPIC, batch: { value: encodeBatch([1, 2]) } }],
      },
    }
    for (const [what, settle] of Object.entries(settles)) {
      it(`that settles one: ${what}`, () =>
        injectEverywhere(advancePublishing, request('busAAAAA~1', 3, { settles: [settle] })))
    }
    it('that only fetches', () => injectEverywhere(advance, request('busAAAAA~1', 3)))
    it('that acks, whole and in part', () =>
      injectEverywhere(advance, request('busAAAAA~1', 3, { acks: [{ lease: 1 }, { lease: 2, from: 1, count: 2 }] })))
    it('that releases, whole and in part', () =>
      injectEverywhere(
        advance,
        request('busAAAAA~1', 3, { releases: [{ lease: 1 }, { lease: 2, from: 1, count: 1 }] }),
      ))
    it('that renews and recovers another session', () =>
      injectEverywhere(advance, request('busAAAAA~1', 3, { renew: true, want: 0 })))
    it('that does all of it', () =>
      injectEverywhere(
        advancePublishing,
        request('busAAAAA~1', 3, {
          acks: [{ lease: 1 }],
          releases: [{ lease: 4 }],
          settles: Object.values(settles)
            .filter(({ lease }) => lease === 2)
            .slice(0, 1),
          renew: true,
        }),
      ))
  })

  it('of an open, which recovers', () =>
    injectEverywhere(open, {
      ...{ group: 'a', session: 'busDDDDD~1', leaseMs: HOUR_MS, concurrency: 1, maxCrashes: 3, info: '{}' },
      ...{ deadMax: 5, deadKeepMs: HOUR_MS },
    }))
  it('of an open, which makes its group', () =>
    injectEverywhere(open, {
      ...{ group: 'c', session: 'busDDDDD~1', leaseMs: HOUR_MS, concurrency: 1, maxCrashes: 3, info: '{}' },
      ...{ deadMax: 5, deadKeepMs: HOUR_MS },
    }))
  it('of a sync', () => injectEverywhere(sync, { group, session: 'busAAAAA~1', epoch: 1, known: [2] }))
  it('of a close', () =>
    injectEverywhere(close, { group, session: 'busAAAAA~1', running: [{ lease: 2, from: 2, count: 1 }] }))
  it('of a redrive by ids', async () => {
    const ids = await w.redis.zrange(scripts.key(TOPIC, `${group}:dead`), '0', '-1')
    await injectEverywhere(redrive, { group: 'a', ids, limit: 10 })
  })
  it('of a redrive of all', () =>
    injectEverywhere(redrive, { group: 'a', untilMs: Number.MAX_SAFE_INTEGER, limit: 10 }))
  for (const what of ['waiting', 'dead'] as const)
    it(`of a purge: ${what}`, () => injectEverywhere(purge, { group: 'a', what, limit: 10, producer: 'purgeAAA' }))
  it('of the removal of a group', () => injectEverywhere(removeGroup, { group: 'b', limit: 10, producer: 'removeAA' }))
  describe('while somebody watches', () => {
    let subscriber: Redis
    beforeEach(async () => {
      subscriber = w.redis.duplicate()
      await subscriber.subscribe(scripts.key(TOPIC, 'events'))
      await scripts.run(watch, TOPIC, { forMs: HOUR_MS })
    })
    afterEach(() => subscriber.disconnect())

    it('of an advance', () =>
      injectEverywhere(
        advance,
        request('busAAAAA~1', 3, {
          acks: [{ lease: 1 }],
          settles: [{ lease: 2, index: 1, outcome: 'dead', reason: 'attempts', error: '{}' }],
          renew: true,
        }),
      ))
    it('of a purge', () => injectEverywhere(purge, { group: 'a', what: 'waiting', limit: 10, producer: 'purgeAAA' }))
    it('of the news of progress', () =>
      injectEverywhere(progress, { group, session: 'busAAAAA~1', lease: 1, index: 1, attempt: 1, value: '1' }))
    it('of the end of watching', () => injectEverywhere(watch, { forMs: 0 }))
  })
  describe('of a cancel', () => {
    const ids: Record<string, string> = {
      'of a message that one group runs and another has waiting': 'prodAAAA-2-0.1',
      'of one that waits': 'prodAAAA-7-0.0',
      'of one that one group has done': 'own',
      'of one that is retried': 'prodAAAA-1-0.0',
      'of one that is put off': 'prodAAAA-8-0.1',
      'of one that nobody has': 'prodAAAA-99-0.0',
    }
    for (const [what, id] of Object.entries(ids))
      it(what, () => injectEverywhere(cancel, { id, token: 'cancelAA', tell: true }))
  })
  describe('of a change', () => {
    const ids: Record<string, string> = {
      'of a message that one group runs and another has waiting': 'prodAAAA-2-0.1',
      'of one that waits': 'prodAAAA-7-0.0',
      'of one that is retried': 'prodAAAA-1-0.0',
      'of one that is put off': 'prodAAAA-8-0.1',
      'of one that nobody has': 'prodAAAA-99-0.0',
    }
    for (const [what, id] of Object.entries(ids)) {
      it(`${what}, of when it is due`, () => injectEverywhere(update, { id, token: 'updateAA', delayMs: 1000 }))
      it(`${what}, of its bytes and priority`, async () => {
        const known = await scripts.run(message, TOPIC, { id })
        const value = encodeBatch([1], { properties: [[3, '9']] })
        const replacing = createHash('sha1')
          .update(known?.value ?? '')
          .digest('hex')
        await injectEverywhere(update, { id, token: 'updateAA', bytes: { value, replacing, prioritized: true } })
      })
    }
  })
  describe('where messages were cancelled that waited', () => {
    beforeEach(async () => {
      for (const id of ['prodAAAA-2-0.1', 'prodAAAA-2-0.3', 'own', 'prodAAAA-6-0.0', 'prodAAAA-7-0.0'])
        await scripts.run(cancel, TOPIC, { id, token: `cancel${id}`, tell: false })
    })
    it('of an advance', () => injectEverywhere(advance, request('busAAAAA~1', 3, { renew: true })))
    it('of an advance of the group where they waited', async () => {
      const { group } = await openSession('busBBBBB~2', 'b')
      await injectEverywhere(advance, { ...request('busBBBBB~2', 1, { want: 20 }), group })
    })
    it('of a purge', () => injectEverywhere(purge, { group: 'b', what: 'waiting', limit: 20, producer: 'purgeAAA' }))
    it('of the removal of a group', () =>
      injectEverywhere(removeGroup, { group: 'b', limit: 20, producer: 'removeAA' }))
    it('of a publish of an id that was', () => {
      const number = published + 1
      const batches = [{ value: encodeBatch([1]), id: 'own' }]
      return injectEverywhere(publish, { session: producer, number, lowestUnanswered: number, batches })
    })
  })
  describe('where messages are retained', () => {
    const from = (session: string, group: string) => ({
      ...{ group, session, leaseMs: HOUR_MS, concurrency: 1, maxCrashes: 3, info: '{}' },
      ...{ deadMax: 5, deadKeepMs: HOUR_MS, fromBeginning: true },
    })
    let replaying: GroupRef
    beforeEach(async () => {
      await scripts.run(declare, TOPIC, { settings: { retain: 'n6' } })
      await publishNow([20, 21, 22], {}, { properties: [[2, 'key']] })
      await publishNow([23], { id: 'retained' }, { properties: [[5, '{"topic":"invoices"}']] })
      await publishNow([24])
      replaying = (await scripts.run(open, TOPIC, from('busEEEEE~1', 'c'))).group
      await publishNow([25])
      await scripts.run(cancel, TOPIC, { id: 'prodAAAA-12-0.0', token: 'cancelAA', tell: false })
    })

    it('of a publish, which trims', () => {
      const number = published + 1
      const batches = [{ value: encodeBatch([1, 2]) }, { value: encodeBatch([3]), id: 'other' }]
      return injectEverywhere(publish, { session: producer, number, lowestUnanswered: number, batches })
    })
    it('of an open from the beginning', () => injectEverywhere(open, from('busFFFFF~1', 'd')))
    it('of an advance of a group that replays', () =>
      injectEverywhere(advance, { ...request('busEEEEE~1', 1), group: replaying }))
    it('of an advance of a group that has replayed', async () => {
      await scripts.run(advance, TOPIC, { ...request('busEEEEE~1', 1, { want: 1 }), group: replaying })
      const acks = [{ lease: 1 }]
      await injectEverywhere(advance, { ...request('busEEEEE~1', 2, { want: 20, acks }), group: replaying })
    })
    it('of an advance that renews, and trims', async () => {
      await scripts.run(declare, TOPIC, { settings: { retain: 'n100' } })
      await w.redis.hset(scripts.key(TOPIC, 'groups'), ':retain', 'n2')
      await injectEverywhere(advance, request('busAAAAA~1', 3, { renew: true }))
    })
    it('of a declaration that ends it', () => injectEverywhere(declare, { settings: { retain: '' } }))
    it('of a purge of a group that replays', () =>
      injectEverywhere(purge, { group: 'c', what: 'waiting', limit: 10, producer: 'purgeAAA' }))
    it('of a removal of a group that replays', () =>
      injectEverywhere(removeGroup, { group: 'c', limit: 10, producer: 'removeAA' }))
    it('of the deletion of the topic', () =>
      injectEverywhere(deleteTopic, { how: 'force', limit: 100, producer: 'deleteAA' }))
  })
  it('of a question for a message', () => injectEverywhere(message, { id: 'prodAAAA-2-0.1' }))
  it('of the beginning of watching', () => injectEverywhere(watch, { forMs: HOUR_MS }))
  it('of a limit', () => injectEverywhere(setConcurrency, { group: 'a', limit: 1 }))
  it('of an open with a limit', () =>
    injectEverywhere(open, {
      ...{ group: 'a', session: 'busDDDDD~1', leaseMs: HOUR_MS, concurrency: 1, maxCrashes: 1, info: '{}' },
      ...{ deadMax: 5, deadKeepMs: HOUR_MS, limit: 1 },
    }))
  it('of a purge of what is scheduled', () =>
    injectEverywhere(purgeTopic, { what: 'scheduled', limit: 10, producer: 'purgeAAA' }))
  it('of a purge of what is unclaimed', async () => {
    await scripts.run(declare, OTHER_TOPIC, { session: producer })
    const batches = [1, 2, 3].map((n) => ({ value: encodeBatch([n, n], { properties: [[2, 'key']] }) }))
    await scripts.run(publish, OTHER_TOPIC, { session: producer, number: 1, lowestUnanswered: 1, batches })
    await injectEverywhere(purgeTopic, { what: 'unclaimed', limit: 4, producer: 'purgeAAA' }, OTHER_TOPIC)
  })
  for (const how of ['unused', 'force'] as const)
    it(`of the deletion of a topic: ${how}`, () => {
      if (how === 'unused') return injectEverywhere(deleteTopic, { how, limit: 10, producer: 'deleteAA' }, OTHER_TOPIC)
      return injectEverywhere(deleteTopic, { how, limit: 10, producer: 'deleteAA' })
    })
  it('of a pause', () => injectEverywhere(pause, { group: 'a', paused: true }))
  it('of a relay, and of the trim after it', async () => {
    const { entries } = await scripts.run(outboxRead, TOPIC, { limit: 10 })
    expect(entries).to.have.length(1)
    await injectEverywhere(relay, { entries: entries.map(({ entry }) => entry) }, OTHER_TOPIC)
    await injectEverywhere(outboxTrim, { destination: OTHER_TOPIC, tags: entries.map(({ tag }) => tag) })
  })
})
