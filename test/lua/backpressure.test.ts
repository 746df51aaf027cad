/** A bound of waiting messages: what counts, what is refused, and who is told when there is room. */
import {
  type BatchToPublish,
  declare,
  type GuardLua,
  MAX_WAITING,
  message,
  outboxRead,
  type PublishReply,
  type PublishRequest,
  purge,
  redrive,
  relay,
  removeGroup,
  type Settle,
} from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, OTHER, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

const A = 'busAAAAA~1'
const BUS = 'busWWWWW'

describe('a topic with a bound of waiting messages', () => {
  const driven = drivenTopic()
  const { place, begin, enter, go, bodies } = driven
  const bound = (maxWaiting: number | '', topic = TOPIC) =>
    driven.scripts.run(declare, topic, { settings: { maxWaiting } })
  const batch = (bodies: unknown[], more: Partial<BatchToPublish> = {}): BatchToPublish => ({
    value: encodeBatch(bodies),
    ...more,
  })
  const keyed = (key: string, ...bodies: unknown[]) => ({ value: encodeBatch(bodies, { properties: [[2, key]] }) })
  const put = (batches: BatchToPublish[], more: Partial<PublishRequest> = {}) => driven.put(batches, more)
  /** Positions that were refused, and those that may come later. */
  const refused = (reply: PublishReply) => {
    if (reply.status !== 'ok') throw new Error(reply.status)
    return reply.outcomes.map((outcome) => {
      if (outcome.verdict !== 'reject') return `${outcome.message} ${outcome.verdict}`
      expect(outcome.guard).to.equal(MAX_WAITING)
      return outcome.retryMs === undefined ? `${outcome.message} for ever` : outcome.message
    })
  }
  const news = (during: () => Promise<unknown>) => driven.heard(`room:${BUS}`, during)
  const acksOf = ({ ranges }: { ranges: readonly { lease: number }[] }) => ranges.map(({ lease }) => ({ lease }))

  describe('counts', () => {
    it('what waits for the first group', async () => {
      await bound(3)
      await put([batch([1]), keyed('k', 2, 3)])
      expect(refused(await put([batch([4])]))).to.deep.equal([0])
    })

    it('of the group that has most: what is ready, in the line of a key, retrying; and what is delayed', async () => {
      await enter('gone____~1', 'other')
      await enter(A, 'g')
      await bound(6)
      await put([keyed('k', 1), keyed('k', 2), batch([3])])
      await put([batch([4], { delayMs: 60_000 })])
      const { ranges } = await go(A, { want: 3 }, 'g@2')
      const [first] = ranges
      await go(
        A,
        {
          want: 0,
          settles: [
            ...[{ lease: first?.lease ?? 0, index: 0, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' }],
          ] as Settle[],
          acks: acksOf({ ranges: ranges.slice(1) }),
        },
        'g@2',
      )
      // `other` has three waiting, and one is delayed.
      expect(refused(await put([batch([5, 6, 7])], { units: [3] }))).to.deep.equal([0, 1, 2])
      expect(refused(await put([batch([5, 6])], { units: [2] }))).to.deep.equal([])
      expect(refused(await put([batch([7])]))).to.deep.equal([0])
    })

    it('not what is in flight, nor dead letters', async () => {
      await enter(A)
      await bound(2)
      await put([batch([1, 2])])
      await go(A)
      expect(refused(await put([batch([3, 4])]))).to.deep.equal([])
      await go(A, { want: 0, settles: [{ lease: 1, index: 0, outcome: 'dead', reason: 'attempts', error: '{}' }] })
      expect(refused(await put([batch([5])]))).to.deep.equal([0])
    })

    it('no duplicates', async () => {
      await bound(2)
      await put([batch([1], { id: 'a' })])
      const reply = await put([batch([1], { id: 'a' }), batch([2], { id: 'b' }), batch([2], { id: 'b' }), batch([3])])
      expect(refused(reply)).to.have.members(['0 duplicate', '2 duplicate', 3])
      const all = await put([batch([1], { id: 'a' }), batch([2], { id: 'b' })], { units: [2] })
      expect(refused(all), 'a unit of duplicates needs no room').to.have.members(['0 duplicate', '1 duplicate'])
    })
  })

  describe('refuses', () => {
    it('whole units, in batches that they share, and lets in those for which there is room', async () => {
      await bound(5)
      const reply = await put([batch([1, 2, 3, 4]), batch([5, 6, 7])], { units: [3, 3, 1] })
      expect(refused(reply)).to.deep.equal([3, 4, 5])
      await enter(A)
      const { ranges, ...rest } = await go(A)
      expect(bodies({ ranges, ...rest })).to.deep.equal([1, 2, 3, 7])
      expect(ranges.map(({ from, count, total }) => [from, count, total])).to.deep.equal([
        [0, 3, 4],
        [2, 1, 3],
      ])
    })

    it('for ever what is more than may ever wait', async () => {
      await bound(2)
      const reply = await put([batch([1, 2, 3]), batch([4])], { units: [3, 1], keeps: { bus: BUS } })
      expect(refused(reply), 'and what is behind it need not wait').to.deep.equal(
        [0, 1, 2].map((position) => `${position} for ever`),
      )
    })

    it('all that is behind a unit which its producer keeps', async () => {
      await bound(3)
      const reply = await put([batch([1, 2]), batch([3, 4]), batch([5])], { units: [2, 2, 1], keeps: {} })
      expect(refused(reply)).to.deep.equal([2, 3, 4])
      expect(await place.redis.exists(driven.scripts.key(TOPIC, 'blocked')), 'nobody listens').to.equal(0)
    })

    it('with the same answer when it is asked again', async () => {
      await bound(1)
      const first = await put([batch([1]), batch([2])])
      driven.published--
      expect(await put([batch([1]), batch([2])])).to.deep.include({
        outcomes: (first as { outcomes: unknown }).outcomes,
      })
    })

    it('without keeping its bytes, and an id of it is not found', async () => {
      await bound(1)
      const expiresAtMs = [0, 9e12, 0]
      const large = 'x'.repeat(1000)
      await put([{ value: encodeBatch([1, large, large], { expiresAtMs }) }])
      const topic = await readTopic(place.redis, place.namespace, TOPIC)
      const [[id, value]] = [...topic.batches] as [[string, Buffer]]
      expect(value.length).to.be.below(200)
      expect((await driven.scripts.run(message, TOPIC, { id: `${id}.1` })) === undefined).to.equal(true)
      expect((await driven.scripts.run(message, TOPIC, { id: `${id}.0` })) === undefined).to.equal(false)
      await enter(A)
      expect(bodies(await go(A))).to.deep.equal([1])
    })
  })

  it('refuses nobody whose message a settle or another topic has published, nor who is redriven', async () => {
    await bound(1)
    await bound(1, OTHER)
    await enter(A)
    await put([batch([1])])
    const { lastLease } = await go(A, { want: 1 })
    await put([batch([2])])
    const staged = [TOPIC, OTHER, OTHER].map((topic) => ({ topic, batch: batch(['staged']) }))
    await go(A, { want: 0, settles: [{ lease: lastLease, index: 0, outcome: 'done', staged }] })
    const { entries } = await driven.scripts.run(outboxRead, TOPIC, { limit: 10 })
    const relayed = { entries: entries.map(({ entry }) => entry) }
    expect(await driven.scripts.run(relay, OTHER, relayed)).to.include({ applied: 2 })
    const second = await go(A, { want: 1 })
    await go(A, {
      want: 0,
      settles: [{ lease: second.lastLease, index: 0, outcome: 'dead', reason: 'attempts', error: '{}' }],
    })
    await driven.scripts.run(redrive, TOPIC, { group: 'g', untilMs: 9e15, limit: 10 })
    expect((await readTopic(place.redis, place.namespace, TOPIC)).groups.get('g@1')?.state.get('ready')).to.equal('2')
  })

  describe('with guards', () => {
    const guard: GuardLua = {
      name: 'test/once',
      keys: ['x:once:seen'],
      lua: `return {
        check = function(m, args)
          if args[1] == 'replace' then return replace(args[2]) end
          if args[1] == 'defer' then return defer(60000) end
          return pass()
        end,
        apply = function(m, args) redis.call('SADD', m.keys[1], m.id) end,
      }`,
    }
    const calls = (...args: string[][]) => ({
      guardKeys: [['x:once:seen']],
      guardCalls: args.map((args, message) => ({ message, guard: 0, args })),
    })
    beforeEach(() => begin({ guards: { publish: [guard] } }))

    it('records nothing for a unit that is refused', async () => {
      await bound(3)
      const reply = await put([batch([1, 2, 3, 4, 5])], { units: [2, 2, 1], ...calls([''], [''], [''], [''], ['']) })
      expect(refused(reply)).to.deep.equal([2, 3])
      const seen = await place.redis.smembers(driven.scripts.key(TOPIC, 'x:once:seen'))
      expect(seen.sort()).to.deep.equal(['prodAAAA-1-0.0', 'prodAAAA-1-0.1', 'prodAAAA-1-0.4'])
    })

    it('lets a message take the place of the one that it replaces, and only that', async () => {
      await bound(1)
      await put([batch(['old'], { id: 'old' })], calls(['defer']))
      expect(refused(await put([batch(['new'], { id: 'new' })], calls(['replace', 'old'])))).to.deep.equal([])
      expect(refused(await put([batch(['more'])], calls(['replace', 'old'])))).to.deep.equal([0])
      expect([...(await readTopic(place.redis, place.namespace, TOPIC)).batches.keys()]).to.deep.equal(['=new'])
    })

    it('takes an id once that a unit names twice', async () => {
      const reply = await put([batch([1], { id: 'a' }), batch([2], { id: 'a' })], { units: [2], ...calls([''], ['']) })
      expect(refused(reply)).to.deep.equal(['1 duplicate'])
    })
  })

  describe('tells a producer that waits for room', () => {
    const fill = async (count: number) => {
      await put(Array.from({ length: count }, (_, n) => batch([n])))
    }

    it('once a consumer has made enough, and how much there is', async () => {
      await enter(A)
      await bound(4)
      await fill(4)
      await put([batch(['a', 'b'])], { units: [2], keeps: { bus: BUS } })
      let taken = await go(A, { want: 0 })
      const take = async (want: number) => {
        taken = await go(A, { want, acks: acksOf(taken) })
      }
      expect(await news(() => take(1)), 'too little').to.deep.equal([])
      expect(await news(() => take(2))).to.deep.equal(['3'])
      expect(await news(() => take(2)), 'once').to.deep.equal([])
    })

    it('the first to wait first, as far as there is room', async () => {
      await enter(A)
      await bound(4)
      await fill(4)
      const buses = ['busXXXXX', BUS, 'busZZZZZ']
      for (const [i, bus] of buses.entries()) {
        await put([batch(['a', 'b'])], { units: [2], keeps: { bus } })
        await place.redis.zadd(driven.scripts.key(TOPIC, 'blocked'), i + 1, bus)
      }
      expect(await news(() => go(A, { want: 3 })), 'only the first').to.deep.equal([])
      expect(await place.redis.zrange(driven.scripts.key(TOPIC, 'blocked'), '0', '-1')).to.deep.equal(buses.slice(1))
      expect(await news(() => go(A, { want: 1 }))).to.deep.equal(['2'])
    })

    const ways: [what: string, make: () => Promise<unknown>][] = [
      [
        'a purge',
        () => driven.scripts.run(purge, TOPIC, { group: 'g', what: 'waiting', limit: 9, producer: 'purgeAAA' }),
      ],
      [
        'the end of a group',
        () => driven.scripts.run(removeGroup, TOPIC, { group: 'g', limit: 9, producer: 'removeAA' }),
      ],
      ['a higher bound', () => bound(9)],
      ['no bound', () => bound('')],
    ]
    for (const [what, make] of ways) {
      it(`of what ${what} makes`, async () => {
        await enter(A)
        await bound(4)
        await fill(4)
        await put([batch(['a'])], { keeps: { bus: BUS } })
        expect(await news(make)).to.have.length(1)
      })
    }

    it('that there never will be any, by a bound that is lower by then', async () => {
      await enter(A)
      await bound(4)
      await fill(4)
      await put([batch(['a', 'b', 'c'])], { units: [3], keeps: { bus: BUS } })
      await bound(2)
      expect(await news(() => go(A))).to.deep.equal(['2'])
    })
  })
})
