/** What a topic retains: what is kept and until when, and what a group that begins at the beginning is given. */
import {
  type AdvanceRequest,
  type BatchToPublish,
  cancel,
  declare,
  deleteTopic,
  type LeasePart,
  message,
  type OpenRequest,
  open,
  pause,
  peek,
  publish,
  purge,
  purgeTopic,
  removeGroup,
  settled,
  stats,
  update,
} from '@busway/lua'
import { expect } from 'chai'
import { decodeBodies, encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { violations } from './invariants.js'
import { readTopic } from './snapshot.js'

const A = 'busAAAAA~1'
const B = 'busBBBBB~1'
const PRIORITY = 3
const KEY = 2
const OWNS = 4
const REPORT_TO = 5

describe('a topic that retains', () => {
  const driven = drivenTopic()
  const { place, put, enter, go, bodies } = driven
  const retain = (value: string | number | '') =>
    driven.scripts.run(declare, TOPIC, { settings: { retain: typeof value === 'number' ? `n${value}` : value } })
  const batch = (bodies: unknown[], more: Partial<BatchToPublish> = {}): BatchToPublish => ({
    value: encodeBatch(bodies),
    ...more,
  })
  const keyed = (key: string, ...bodies: unknown[]) => ({ value: encodeBatch(bodies, { properties: [[KEY, key]] }) })
  const topic = () => readTopic(place.redis, place.namespace, TOPIC)
  const replay = (session: string, group: string, more: Partial<OpenRequest> = {}) =>
    enter(session, group, { fromBeginning: true, ...more })
  const stored = async () => [...(await topic()).batches.keys()]
  const isSound = async (when: string) => expect(violations(await topic()), when).to.deep.equal([])
  const kept = async () => (await topic()).log.reduce((sum, { member }) => sum + member.range.count, 0)

  /** Takes and acks all that there is; what was taken. */
  const consume = async (session: string, group: string, more: Partial<AdvanceRequest> = {}): Promise<unknown[]> => {
    const taken: unknown[] = []
    for (let acks: LeasePart[] = []; ; ) {
      const reply = await go(session, { want: 3, acks, ...more }, group)
      await isSound('between two requests')
      for (const { value, skip } of reply.ranges)
        taken.push(...decodeBodies(value as Buffer).filter((_, position) => !skip?.includes(position)))
      acks = reply.ranges.map(({ lease }) => ({ lease }))
      if (acks.length === 0 && !reply.more) return taken
    }
  }

  describe('keeps', () => {
    it('what has ended, and says of each group that it has', async () => {
      await retain(10)
      const group = await enter(A)
      await put([batch([1, 2, 3]), batch([4])])
      expect(await consume(A, group)).to.deep.equal([1, 2, 3, 4])
      expect(await kept()).to.equal(4)
      for (const id of ['prodAAAA-1-0.1', 'prodAAAA-1-1.0']) {
        const reply = await driven.scripts.run(message, TOPIC, { id })
        expect(reply?.places.map(({ group, state }) => [group, state])).to.deep.equal([['g', 'done']])
      }
    })

    it('so many messages, and of the oldest range as many as it has', async () => {
      await retain(5)
      const group = await enter(A)
      for (const bodies of [[1, 2, 3], [4], [5, 6]]) await put([batch(bodies)])
      expect(await kept(), 'the first range goes when none of it is needed').to.equal(6)
      await consume(A, group)
      expect(await stored()).to.have.length(3)
      await put([batch([7, 8])])
      expect(await kept()).to.equal(5)
      await consume(A, group)
      expect(await stored()).to.have.length(3)
    })

    it('what a group has still to end, though it is retained no more', async () => {
      await retain(1)
      const group = await enter(A)
      for (let n = 0; n < 20; n++) await put([batch([n, n])])
      expect(await kept()).to.equal(2)
      expect(await stored()).to.have.length(20)
      expect(await consume(A, group)).to.have.length(40)
      expect(await stored()).to.have.length(1)
    })

    it('what is not too old, and is trimmed by those who renew', async () => {
      await retain('t1000')
      const group = await enter(A)
      await put([batch([1, 2]), batch([3])])
      await put([batch([4])])
      await consume(A, group)
      const [first, second, third] = await place.redis
        .zrange(driven.scripts.key(TOPIC, 'log'), '0', '-1', 'WITHSCORES')
        .then((flat) => [flat.slice(0, 2), flat.slice(2, 4), flat.slice(4)])
      for (const [member, score] of [first, second] as [string, string][]) {
        await place.redis.zrem(driven.scripts.key(TOPIC, 'log'), member)
        await place.redis.zadd(driven.scripts.key(TOPIC, 'log'), score, member.replace(/^\d+/, '1600000000000'))
      }
      expect(third).to.have.length(2)
      await go(A, { want: 0 }, group)
      expect(await kept(), 'a request that does not renew').to.equal(4)
      await go(A, { want: 0, renew: true }, group)
      expect(await kept()).to.equal(1)
      expect(await stored()).to.have.length(1)
    })

    it('what was delayed, from when it is due', async () => {
      await retain(10)
      const group = await enter(A)
      await put([batch([1, 2], { delayMs: 60_000 }), batch([3])])
      expect(await kept()).to.equal(1)
      const key = driven.scripts.key(TOPIC, 'scheduled')
      for (const member of await place.redis.zrange(key, '0', '-1')) await place.redis.zadd(key, 1, member)
      expect(await consume(A, group)).to.deep.equal([3, 1, 2])
      expect(await kept()).to.equal(3)
      expect(await consume(B, await replay(B, 'new'))).to.deep.equal([3, 1, 2])
    })

    it('less when its bound is lowered, and nothing when it is taken away', async () => {
      await retain(1000)
      const group = await enter(A)
      for (let i = 0; i < 3; i++) await put(Array.from({ length: 100 }, (_, n) => batch([n])))
      for (let acks: LeasePart[] = [], first = true; first || acks.length > 0; first = false)
        acks = (await go(A, { want: 1000, acks }, group)).ranges.map(({ lease }) => ({ lease }))
      await retain(250)
      expect(await kept()).to.equal(250)
      await retain(10)
      expect(await kept(), 'in steps').to.equal(150)
      await go(A, { want: 0, renew: true }, group)
      expect(await kept()).to.equal(50)
      await retain('')
      expect(await kept()).to.equal(0)
      expect(await stored()).to.deep.equal([])
      expect((await topic()).settings.has('retain')).to.equal(false)
    })

    it('what is published while it ends, until it has, so that nothing is missing between', async () => {
      await retain(1000)
      await enter(A)
      await put(Array.from({ length: 150 }, (_, n) => batch([n])))
      await retain('')
      expect((await topic()).settings.get('retain')).to.equal('n0')
      await put([batch(['new'])])
      expect((await topic()).settings.has('retain')).to.equal(false)
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.g?.ready).to.equal(151)
    })

    it('an id of a publisher taken', async () => {
      await retain(2)
      const group = await enter(A)
      await put([batch([1], { id: 'own' })])
      await consume(A, group)
      const again = await put([batch([1], { id: 'own' })])
      expect(again.status === 'ok' && again.outcomes).to.deep.equal([{ message: 0, verdict: 'duplicate', id: 'own' }])
      await put([batch([2, 3])])
      const free = await put([batch([4], { id: 'own' })])
      expect(free.status === 'ok' && free.outcomes).to.deep.equal([])
    })
  })

  describe('gives a group from the beginning', () => {
    it('all that it has, in order, and then what is published', async () => {
      await retain(100)
      const first = await enter(A)
      await put([batch([1, 2, 3]), batch([4]), batch([5, 6])])
      await consume(A, first)
      const second = await replay(B, 'later')
      await put([batch([7, 8])])
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.later).to.include({ ready: 2, replaying: 6 })
      expect((await driven.scripts.run(stats, TOPIC, undefined)).retained).to.equal(8)
      expect(await consume(B, second)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8])
      await put([batch([9])])
      expect(await consume(B, second)).to.deep.equal([9])
      expect(await consume(A, first)).to.deep.equal([7, 8, 9])
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.later).not.to.have.property('replaying')
    })

    it('a bounded piece at a time', async () => {
      await retain(10_000)
      const first = await enter(A)
      for (let i = 0; i < 5; i++) await put(Array.from({ length: 100 }, (_, n) => batch([i * 100 + n])))
      const second = await replay(B, 'later')
      const reply = await go(B, { want: 10 }, second)
      expect(bodies(reply)).to.deep.equal(Array.from({ length: 10 }, (_, n) => n))
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.later).to.include({
        ready: 54,
        inFlight: 10,
        replaying: 436,
      })
      const rest = await consume(B, second, { want: 100, acks: reply.ranges.map(({ lease }) => ({ lease })) })
      expect(rest).to.have.length(490)
      expect(rest).to.deep.equal(Array.from({ length: 490 }, (_, n) => n + 10))
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.g?.ready, first).to.equal(500)
    })

    it('keys in their order, and priorities in theirs', async () => {
      await retain(100)
      await enter(A)
      const urgent = { value: encodeBatch(['urgent'], { properties: [[PRIORITY, '5']] }) }
      await put([keyed('k', 1, 2), keyed('l', 11), batch(['plain']), urgent, keyed('k', 3)])
      const second = await replay(B, 'later')
      await put([keyed('k', 4), keyed('l', 12)])
      const all = await consume(B, second)
      expect(all[0]).to.equal('urgent')
      expect(all.filter((n) => typeof n === 'number' && n < 10)).to.deep.equal([1, 2, 3, 4])
      expect(all.filter((n) => typeof n === 'number' && n > 10)).to.deep.equal([11, 12])
      expect(all).to.have.length(8)
    })

    it('only what is published to the front before it', async () => {
      await retain(100)
      await enter(A)
      await put([batch([1, 2])])
      const second = await replay(B, 'later')
      await put([batch([3]), batch(['first'], { front: true })])
      expect(await consume(B, second)).to.deep.equal(['first', 1, 2, 3])
    })

    it('what was published since and put off behind it, when that is due', async () => {
      await retain(100)
      await enter(A)
      await put([batch([1, 2])])
      const second = await replay(B, 'later')
      await put([batch([3]), batch([4])])
      await driven.scripts.run(update, TOPIC, { id: 'prodAAAA-2-0.0', token: 'updateAA', delayMs: 1 })
      const key = driven.scripts.key(TOPIC, `${second}:retry`)
      for (const member of await place.redis.zrange(key, '0', '-1')) await place.redis.zadd(key, 1, member)
      expect(await consume(B, second)).to.deep.equal([1, 2, 4, 3])
    })

    it('what the first group inherits, once, behind what was retained before', async () => {
      await retain(100)
      const first = await enter(A)
      await put([batch([1, 2]), keyed('k', 3)])
      await consume(A, first)
      await driven.scripts.run(removeGroup, TOPIC, { group: 'g', limit: 100, producer: 'removeAA' })
      await put([batch([4]), keyed('k', 5), batch([6])])
      expect((await driven.scripts.run(stats, TOPIC, undefined)).unclaimed).to.equal(3)
      const ranges = (await driven.scripts.run(peek, TOPIC, { state: 'unclaimed', limit: 10, bytes: 1e6 })).ranges
      expect(ranges.reduce((sum, { count }) => sum + count, 0)).to.equal(3)
      expect(await consume(B, await replay(B, 'later'))).to.deep.equal([1, 2, 3, 4, 5, 6])
    })

    it('all that was published without a group, though less is retained', async () => {
      await retain(2)
      for (let n = 1; n <= 9; n++) await put([batch([n])])
      expect(await consume(B, await replay(B, 'first'))).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(await stored()).to.have.length(2)
    })

    it('what was published before it retained anything, before the rest', async () => {
      await put([batch([1]), keyed('k', 2, 3)])
      await retain(100)
      await put([keyed('k', 4), batch([5])])
      const all = await consume(B, await enter(B, 'first'))
      expect(all).to.have.members([1, 2, 3, 4, 5])
      expect(all.filter((n) => [2, 3, 4].includes(n as number))).to.deep.equal([2, 3, 4])
    })

    it('only what is left, when more is trimmed while it replays', async () => {
      await retain(100)
      const first = await enter(A)
      await put(Array.from({ length: 90 }, (_, n) => batch([n])))
      const second = await replay(B, 'later')
      const { ranges } = await go(B, { want: 1 }, second)
      await put(Array.from({ length: 50 }, (_, n) => batch([100 + n])))
      const all = await consume(B, second, { want: 50 })
      expect(ranges).to.have.length(1)
      expect(
        all.filter((n) => Number(n) >= 100),
        'none that was published since',
      ).to.have.length(50)
      expect(all.slice(0, 63), 'what was ready').to.deep.equal(Array.from({ length: 63 }, (_, n) => n + 1))
      expect(first).to.equal('g@1')
    })

    it('nothing that was cancelled before any group ran it, but all that one ran', async () => {
      await retain(100)
      const first = await enter(A)
      await put([batch([1, 2, 3]), batch([4])])
      const { ranges } = await go(A, { want: 1 }, first)
      for (const [id, ended] of [['prodAAAA-1-0.1', 1], ['prodAAAA-1-1.0', 1], ['prodAAAA-1-0.0', 0]] as const) // biome-ignore format: a table
        expect((await driven.scripts.run(cancel, TOPIC, { id, token: `cancel${id}`, tell: false })).ended).to.equal(
          ended,
        )
      expect(ranges).to.have.length(1)
      expect(await consume(B, await replay(B, 'later'))).to.deep.equal([1, 3])
    })

    it('what a cancel ended before any group had it, to nobody', async () => {
      await retain(100)
      await put([batch([1, 2]), batch([3])])
      for (const id of ['prodAAAA-1-0.1', 'prodAAAA-1-1.0']) {
        const request = { id, token: `cancel${id}`, tell: false }
        expect((await driven.scripts.run(cancel, TOPIC, request)).ended).to.equal(1)
        expect((await driven.scripts.run(cancel, TOPIC, { ...request, token: `again${id}` })).ended).to.equal(0)
        await isSound(id)
      }
      expect(await consume(A, await replay(A, 'first'))).to.deep.equal([1])
      expect(await consume(B, await replay(B, 'second'))).to.deep.equal([1])
    })

    it('what another retried or buried, as it was published', async () => {
      await retain(100)
      const first = await enter(A)
      await put([batch([1, 2, 3])])
      const settle = { index: 1, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' } as const
      await go(A, { want: 3 }, first)
      await go(A, { want: 0, settles: [{ lease: 1, ...settle }, { lease: 1, index: 2, outcome: 'dead', reason: 'attempts', error: '{}' }] }, first) // biome-ignore format: one request
      const second = await replay(B, 'later')
      const reply = await go(B, { want: 10 }, second)
      expect(bodies(reply)).to.deep.equal([1, 2, 3])
      expect(reply.ranges.every(({ failure }) => failure === undefined)).to.equal(true)
      await go(
        B,
        { want: 0, settles: [{ lease: 1, index: 2, outcome: 'dead', reason: 'attempts', error: '{}' }] },
        second,
      )
      await isSound('it buried one as well')
      expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.later?.dead).to.equal(1)
    })
  })

  describe('and ends of which somebody is told', () => {
    const followed = (body: unknown) => ({
      value: encodeBatch([body], {
        properties: [
          [OWNS, 'x:lock:a'],
          [REPORT_TO, JSON.stringify({ topic: 'invoices' })],
        ],
      }),
    })
    const reports = async () => (await topic()).outboxes.get('invoices')?.length ?? 0
    const lock = () => place.redis.get(driven.scripts.key(TOPIC, 'x:lock:a'))

    it('tells them by the groups that had them, not by one that replays', async () => {
      await retain(100)
      const first = await enter(A)
      await put([followed(1)])
      await place.redis.set(driven.scripts.key(TOPIC, 'x:lock:a'), 'prodAAAA-1-0.0')
      const second = await replay(B, 'later')
      await consume(B, second)
      expect([await reports(), await lock()], 'the group that replays').to.deep.equal([0, 'prodAAAA-1-0.0'])
      await consume(A, first)
      expect([await reports(), await lock()], 'the group that had it').to.deep.equal([1, null])
      expect((await driven.scripts.run(settled, TOPIC, { id: 'prodAAAA-1-0.0' })).open).to.equal(false)
    })

    it('lets go of what they own though one that replays has not ended them', async () => {
      await retain(100)
      const first = await enter(A)
      await put([followed(1)])
      await place.redis.set(driven.scripts.key(TOPIC, 'x:lock:a'), 'prodAAAA-1-0.0')
      const second = await replay(B, 'later')
      await go(B, { want: 1 }, second)
      await consume(A, first)
      expect(await lock()).to.equal(null)
      await go(
        B,
        { want: 0, settles: [{ lease: 1, index: 0, outcome: 'dead', reason: 'attempts', error: '{}' }] },
        second,
      )
      expect(await reports(), 'its death is no news').to.equal(1)
    })
  })

  it('is refused a beginning where it retains nothing, and changes nothing', async () => {
    const open_ = { leaseMs: 1000, concurrency: 1, maxCrashes: 1, info: '', deadMax: 1, deadKeepMs: 1 }
    const request = { group: 'g', session: A, ...open_, fromBeginning: true }
    expect((await driven.scripts.run(open, TOPIC, request)).retainsNothing).to.equal(true)
    expect((await topic()).groups.size).to.equal(0)
    await enter(A)
    expect((await driven.scripts.run(open, TOPIC, request)).retainsNothing, 'a group that exists').to.equal(false)
  })

  it('wakes whoever waits for what comes while it is behind', async () => {
    await retain(100)
    await enter(B, 'other')
    await put([batch([1])])
    const group = await replay(A, 'later')
    await driven.scripts.run(pause, TOPIC, { group: 'later', paused: true })
    await go(A, { want: 1 }, group)
    expect(
      await driven.wakes(() => driven.scripts.run(pause, TOPIC, { group: 'later', paused: false })),
    ).to.have.length(1)
    expect(await consume(A, group)).to.deep.equal([1])
  })

  it('purges what a group has still to replay with what waits', async () => {
    await retain(100)
    await enter(A)
    await put([batch([1, 2]), batch([3])])
    const group = await replay(B, 'later')
    await put([batch([4, 5])])
    const request = { group: 'later', what: 'waiting', limit: 10, producer: 'purgeAAA' } as const
    expect(await driven.scripts.run(purge, TOPIC, request)).to.deep.equal({ count: 2, more: false })
    expect(await consume(B, group)).to.deep.equal([])
    await put([batch([6])])
    expect(await consume(B, group)).to.deep.equal([6])
  })

  it('removes a group that is behind, and another of its name begins anew', async () => {
    await retain(100)
    await enter(A)
    await put([batch([1, 2]), batch([3])])
    await go(B, { want: 1 }, await replay(B, 'later'))
    await put([batch([4])])
    for (let more = true; more; ) {
      more = (await driven.scripts.run(removeGroup, TOPIC, { group: 'later', limit: 1, producer: 'removeAA' })).more
      await isSound('between two steps')
    }
    driven.advanced.clear()
    expect(await consume('busBBBBB~2', await replay('busBBBBB~2', 'later'))).to.deep.equal([1, 2, 3, 4])
  })

  it('goes with its topic, step by step, and a new one of its name begins with none of it', async () => {
    await retain(100)
    const first = await enter(A)
    await put(Array.from({ length: 30 }, (_, n) => batch([n])))
    await consume(A, first)
    let reply = await driven.scripts.run(deleteTopic, TOPIC, { how: 'force', limit: 5, producer: 'deleteAA' })
    await isSound('taken from sight')
    await driven.scripts.run(declare, TOPIC, { session: 'prodBBBB', settings: { retain: 'n100' } })
    const batches = [batch(['new'])]
    await driven.scripts.run(publish, TOPIC, { session: 'prodBBBB', number: 1, lowestUnanswered: 1, batches })
    driven.advanced.clear()
    expect(await consume(B, await replay(B, 'later'))).to.deep.equal(['new'])
    while (reply.status === 'ok' && reply.more) {
      reply = await driven.scripts.run(deleteTopic, TOPIC, { limit: 5, producer: 'deleteAA' })
      await isSound('between two steps')
    }
    expect(await stored()).to.have.length(1)
  })

  it('keeps what was unclaimed and is purged, for those who begin at the beginning', async () => {
    await retain(100)
    await put([batch([1, 2])])
    await driven.scripts.run(purgeTopic, TOPIC, { what: 'unclaimed', limit: 10, producer: 'purgeAAA' })
    expect((await driven.scripts.run(stats, TOPIC, undefined)).unclaimed).to.equal(0)
    expect(await consume(A, await enter(A, 'now'))).to.deep.equal([])
    expect(await consume(B, await replay(B, 'later'))).to.deep.equal([1, 2])
  })
})
