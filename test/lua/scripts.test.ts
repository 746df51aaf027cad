/** What single scripts promise beside the model of model.test.ts: slices, wakes, timers, what follows a message, guards, bounds, full memory. */
import {
  advance,
  compose,
  deadLetters,
  declare,
  type GuardLua,
  type GuardStage,
  outboxRead,
  outboxTrim,
  pause,
  purge,
  redrive,
  relay,
  removeGroup,
  type Settle,
  scriptNames,
  stats,
  sync,
} from '@busway/lua'
import { expect } from 'chai'
import { decodeBodies, encodeBatch } from './batch.js'
import { drivenTopic, OTHER, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

describe('the scripts', () => {
  const driven = drivenTopic()
  const { place, begin, put, enter, go, bodies, wakes } = driven

  describe('every script', () => {
    it('has each function that it calls', () => {
      for (const name of scriptNames) {
        const { text } = compose({ redisVersion: '7.0.0' }).get(name)
        const defined = new Set([...text.matchAll(/function lib\.(\w+)/g)].map(([, each]) => each))
        const missing = [...text.matchAll(/lib\.(\w+)\(/g)].map(([, each]) => each).filter((each) => !defined.has(each))
        expect(missing, name).to.deep.equal([])
      }
    })

    it('is another script with other guards, if it calls them at all', () => {
      const plain = compose({ redisVersion: '7.0.0' })
      const guarded = compose({ redisVersion: '7.0.0', guards: { fetch: [{ name: 'g', keys: [], lua: 'return {}' }] } })
      expect(guarded.get('advance').sha).to.not.equal(plain.get('advance').sha)
      expect(guarded.get('publish').sha).to.equal(plain.get('publish').sha)
    })
  })

  describe('a topic with settings', () => {
    it('keeps them until they are unset, and they are no groups', async () => {
      const { scripts } = driven
      const topic = () => readTopic(place.redis, place.namespace, TOPIC)
      await scripts.run(declare, TOPIC, { settings: { retainMs: 1000, policy: 'wait' } })
      await scripts.run(declare, TOPIC, { settings: { policy: '' } })
      expect([...(await topic()).settings]).to.deep.equal([['retainMs', '1000']])
      await put([{ value: encodeBatch(['a']) }])
      expect((await topic()).unclaimed).to.have.length(1)
      await enter('busAAAAA~1')
      expect([...(await topic()).generations.keys()]).to.deep.equal(['g'])
      expect((await topic()).unclaimed).to.deep.equal([])
      const { ranges } = await go('busAAAAA~1')
      await go('busAAAAA~1', { acks: ranges.map(({ lease }) => ({ lease })) })
    })
  })

  describe('a range that is divided', () => {
    it('is sent as a batch of its own messages, with their expiry', async () => {
      await enter('busAAAAA~1')
      const expiresAtMs = [0, 9_000_000_000_000, 0, 9_000_000_000_001]
      await put([{ value: encodeBatch(['a', 'bb', 'ccc', 'd'], { expiresAtMs }) }])
      const first = await go('busAAAAA~1', { want: 1 })
      const second = await go('busAAAAA~1', { want: 2 })
      expect(bodies(first)).to.deep.equal(['a'])
      expect(bodies(second)).to.deep.equal(['bb', 'ccc'])
      const value = second.ranges[0]?.value as Buffer
      const expiries = 12 + value.readUInt16LE(10) + 4 * 3
      expect(value.readBigUInt64LE(expiries)).to.equal(9_000_000_000_000n)
      expect(second.ranges[0]).to.include({ from: 1, count: 2, total: 4 })
    })
  })

  describe('a session that waits', () => {
    it('is woken by a publish, once, and wakes the next if it leaves work', async () => {
      for (const id of ['busAAAAA~1', 'busAAAAA~2']) {
        await enter(id)
        await go(id)
      }
      expect(await wakes(() => put([{ value: encodeBatch([1, 2, 3]) }]))).to.deep.equal(['g@1 busAAAAA~1'])
      expect(await wakes(() => go('busAAAAA~1', { want: 1 }))).to.deep.equal(['g@1 busAAAAA~2'])
      expect(await wakes(() => go('busAAAAA~2'))).to.deep.equal([])
    })

    it('is one that got less than it asked for because some of it had expired', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1, 2, 3], { expiresAtMs: [0, 1, 0] }) }])
      const { ranges, more } = await go('busAAAAA~1', { want: 3 })
      expect([ranges[0]?.skip, more]).to.deep.equal([[1], false])
      expect(await wakes(() => put([{ value: encodeBatch([4]) }]))).to.deep.equal(['g@1 busAAAAA~1'])
    })

    it('is passed over if nobody listens for it', async () => {
      await enter('gone____~1')
      await enter('busAAAAA~2')
      await go('gone____~1')
      await go('busAAAAA~2')
      expect(await wakes(() => put([{ value: encodeBatch([1]) }]))).to.deep.equal(['g@1 busAAAAA~2'])
    })

    it('is not woken while the group is paused, but when it resumes', async () => {
      await enter('busAAAAA~1')
      await driven.scripts.run(pause, TOPIC, { group: 'g', paused: true })
      expect((await go('busAAAAA~1')).paused).to.equal(true)
      expect(await wakes(() => put([{ value: encodeBatch([1]) }]))).to.deep.equal([])
      const resumed = await wakes(() => driven.scripts.run(pause, TOPIC, { group: 'g', paused: false }))
      expect(resumed).to.deep.equal(['g@1 busAAAAA~1'])
    })

    it('holds the timer alone, and another comes when something is due earlier', async () => {
      await put([{ value: encodeBatch([1]), delayMs: 60_000 }])
      for (const id of ['busAAAAA~1', 'busAAAAA~2']) await enter(id)
      expect((await go('busAAAAA~1')).dueMs).to.be.within(59_000, 60_000)
      expect((await go('busAAAAA~2')).dueMs).to.equal(undefined)
      const later = await wakes(() => put([{ value: encodeBatch([1]), delayMs: 70_000 }]))
      expect(later).to.deep.equal([])
      const earlier = await wakes(() => put([{ value: encodeBatch([1]), delayMs: 50_000 }]))
      expect(earlier).to.have.length(1)
      const woken = earlier[0]?.split(' ')[1] as string
      expect((await go(woken)).dueMs).to.be.within(49_000, 50_000)
    })
  })

  describe('what follows a message', () => {
    const properties = [
      [4, 'x:test:lock'],
      [5, `{"topic":"${OTHER}","key":"k"}`],
    ] as const
    const follow = async () => {
      await put([{ value: encodeBatch([1], { properties }), id: 'mine' }])
      await place.redis.set(driven.scripts.key(TOPIC, 'x:test:lock'), 'mine')
    }
    const owned = () => place.redis.exists(driven.scripts.key(TOPIC, 'x:test:lock'))
    const reports = async () => {
      const { entries } = await driven.scripts.run(outboxRead, TOPIC, { limit: 100 })
      await driven.scripts.run(relay, OTHER, { entries: entries.map(({ entry }) => entry) })
      await driven.scripts.run(outboxTrim, TOPIC, { destination: OTHER, tags: entries.map(({ tag }) => tag) })
      const { batches } = await readTopic(place.redis, place.namespace, OTHER)
      return [...batches.values()].map((value) => JSON.parse(/\{"id".*\}/.exec(value.toString())?.[0] as string))
    }

    it('is honoured when each group has ended it: reported by each, released by the last', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await follow()
      const one = await go('busAAAAA~1')
      const settles: Settle[] = [{ lease: one.lastLease, index: 0, outcome: 'done', result: '{"ok":true}' }]
      expect((await go('busAAAAA~1', { settles })).outbox).to.equal(true)
      expect(await owned()).to.equal(1)
      const two = await go('busAAAAA~2', {}, 'h@2')
      const dead = {
        lease: two.lastLease,
        index: 0,
        outcome: 'dead',
        reason: 'attempts',
        error: '{"message":"no"}',
      } as const
      await go('busAAAAA~2', { settles: [dead] }, 'h@2')
      expect(await owned()).to.equal(0)
      expect(await reports()).to.have.deep.members([
        { id: 'mine', group: 'g', outcome: 'done', result: { ok: true }, last: false },
        { id: 'mine', group: 'h', outcome: 'dead', error: { message: 'no' }, last: true },
      ])
    })

    it('is honoured by a purge, and leaves a key that names another message, or is no string', async () => {
      await enter('busAAAAA~1')
      await follow()
      await place.redis.del(driven.scripts.key(TOPIC, 'x:test:lock'))
      await place.redis.lpush(driven.scripts.key(TOPIC, 'x:test:lock'), 'mine')
      await driven.scripts.run(purge, TOPIC, { group: 'g', what: 'waiting', limit: 10, producer: 'freshAAA' })
      expect(await owned()).to.equal(1)
      expect(await reports()).to.deep.equal([{ id: 'mine', group: 'g', outcome: 'purged', last: true }])
    })

    it('is not taken for what a server forgot after it was relayed', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1]) }])
      const { lastLease } = await go('busAAAAA~1')
      const settling = (body: string, epoch: number) => {
        const staged = [{ topic: OTHER, batch: { value: encodeBatch([body]) } }]
        return go('busAAAAA~1', { epoch, settles: [{ lease: lastLease, index: 0, outcome: 'done', staged }] })
      }
      const relayed = async () => {
        const { entries } = await driven.scripts.run(outboxRead, TOPIC, { limit: 100 })
        return (await driven.scripts.run(relay, OTHER, { entries: entries.map(({ entry }) => entry) })).applied
      }
      const keys = await place.redis.keys(driven.scripts.key(TOPIC, '*'))
      const dumps = await Promise.all(keys.map((key) => place.redis.dumpBuffer(key)))
      await settling('forgotten', 0)
      expect(await relayed()).to.equal(1)
      // The replica that is master now had not received the settle; its client never heard of it.
      await place.redis.del(...(await place.redis.keys(driven.scripts.key(TOPIC, '*'))))
      await Promise.all(keys.map((key, i) => place.redis.restore(key, 0, dumps[i] as Buffer)))
      driven.advanced.set('busAAAAA~1', 1)
      await driven.scripts.run(sync, TOPIC, { group: 'g@1', session: 'busAAAAA~1', epoch: 1, known: [lastLease] })
      await settling('again', 1)
      expect(await relayed()).to.equal(1)
      await driven.scripts.run(outboxTrim, TOPIC, {
        destination: OTHER,
        tags: (await driven.scripts.run(outboxRead, TOPIC, { limit: 100 })).entries.map(({ tag }) => tag),
      })
    })

    it('is relayed once, however often', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1]) }])
      const { lastLease } = await go('busAAAAA~1')
      const staged = [1, 2].map((n) => ({ topic: OTHER, batch: { value: encodeBatch([n]) } }))
      await go('busAAAAA~1', { settles: [{ lease: lastLease, index: 0, outcome: 'done', staged }] })
      const { entries } = await driven.scripts.run(outboxRead, TOPIC, { limit: 100 })
      const request = { entries: entries.map(({ entry }) => entry) }
      expect((await driven.scripts.run(relay, OTHER, request)).applied).to.equal(2)
      expect((await driven.scripts.run(relay, OTHER, request)).applied).to.equal(0)
      const tags = entries.map(({ tag }) => tag)
      const trim = async (answered: string[]) =>
        (await driven.scripts.run(outboxTrim, TOPIC, { destination: OTHER, tags: answered })).left
      expect(await trim(tags.slice(0, 1))).to.equal(1)
      expect(await trim(tags.slice(0, 1)), 'trimmed again').to.equal(1)
      expect(await trim(tags)).to.equal(0)
    })
  })

  describe('a publish guard', () => {
    const dedupe: GuardLua = {
      name: 'dedupe',
      keys: ['x:dedupe:ids'],
      lua: `return {
        check = function(m, args, shared)
          if args[1] == 'refuse' then return reject('too much', 50) end
          if args[1] == 'fail' then error('broken') end
          local old = shared[args[2]] or redis.call('HGET', m.keys[1], args[2])
          shared[args[2]] = m.id
          if args[1] == 'debounce' then
            if old then return replace(old), defer(60000) end
            return defer(60000)
          end
          if old then return duplicate(old) end
        end,
        apply = function(m, args)
          if args[3] then error('cannot apply') end
          redis.call('HSET', m.keys[1], args[2], m.id)
        end,
      } -- the last line may be a comment`,
    }
    const guards: { readonly [stage in GuardStage]?: readonly GuardLua[] } = { publish: [dedupe] }
    const keys = [['x:dedupe:ids']]
    const calls = (...args: string[][]) => args.map((each, message) => ({ message, guard: 0, args: each }))
    beforeEach(() => begin({ guards }))

    it('refuses a unit whole and leaves the others; a repeated request is answered the same', async () => {
      await enter('busAAAAA~1')
      const request = {
        units: [1, 2, 1, 1],
        guardKeys: keys,
        guardCalls: calls(['id', 'a'], ['id', 'b'], ['refuse', ''], ['id', 'a'], ['fail', '']),
      }
      const batches = [{ value: encodeBatch([0, 1, 2, 3, 4]) }]
      const reply = await put(batches, request)
      const expected = [
        { message: 1, verdict: 'reject', guard: 'dedupe', reason: 'too much', retryMs: 50 },
        { message: 2, verdict: 'reject', guard: 'dedupe', reason: 'too much', retryMs: 50 },
        { message: 3, verdict: 'duplicate', id: 'prodAAAA-1-0.0' },
        { message: 4, verdict: 'reject', guard: 'dedupe', reason: 'the guard failed' },
      ]
      expect(reply).to.have.deep.property('outcomes', expected)
      expect(await put(batches, { ...request, number: 1 })).to.have.deep.property('outcomes', expected)
      expect(bodies(await go('busAAAAA~1'))).to.deep.equal([0])
    })

    it('whose apply fails changes nothing but the report', async () => {
      await enter('busAAAAA~1')
      const reply = await put([{ value: encodeBatch([1]) }], { guardKeys: keys, guardCalls: calls(['id', 'a', 'x']) })
      expect(reply).to.have.nested.property('guardErrors[0].error').that.contains('cannot apply')
      expect(bodies(await go('busAAAAA~1'))).to.deep.equal([1])
    })

    it('replaces what it deferred, of an earlier request and of the same', async () => {
      await put([{ value: encodeBatch(['old']) }], { guardKeys: keys, guardCalls: calls(['debounce', 'a']) })
      await put([{ value: encodeBatch(['newer', 'newest']) }], {
        units: [1, 1],
        guardKeys: keys,
        guardCalls: calls(['debounce', 'a'], ['debounce', 'a']),
      })
      const { scheduled } = await readTopic(place.redis, place.namespace, TOPIC)
      expect(scheduled.map(({ member }) => member.range)).to.deep.equal([
        { from: 1, count: 1, total: 2, batch: 'prodAAAA-2-0', again: false },
      ])
    })
  })

  describe('dead letters', () => {
    it('are paged, and the oldest beyond the bound go', async () => {
      await enter('busAAAAA~1', 'g', { deadMax: 3 })
      await put([{ value: encodeBatch([1, 2, 3, 4, 5]) }])
      const { lastLease: lease } = await go('busAAAAA~1')
      for (let index = 0; index < 5; index++)
        await go('busAAAAA~1', { settles: [{ lease, index, outcome: 'dead', reason: 'attempts', error: '{}' }] })
      const first = await driven.scripts.run(deadLetters, TOPIC, { group: 'g', limit: 2, bytes: 1e6 })
      const rest = await driven.scripts.run(deadLetters, TOPIC, {
        group: 'g',
        limit: 2,
        bytes: 1e6,
        cursor: first.cursor as string,
      })
      const values = [...first.items, ...rest.items].flatMap(({ value }) => decodeBodies(value))
      expect(values).to.deep.equal([3, 4, 5])
      expect(rest.cursor).to.equal(undefined)
    })
  })

  describe('a message that may have been run before', () => {
    it('says so: what a session that is gone had held, however it is divided, and a redriven dead letter', async () => {
      await enter('busAAAAA~1', 'g', { concurrency: 1 })
      await put([{ value: encodeBatch([1, 2, 3, 4, 5]) }])
      await go('busAAAAA~1')
      await place.redis.zadd(`${place.namespace}:{${TOPIC}}:g@1:sessions`, 1, 'busAAAAA~1')
      await enter('busAAAAA~2', 'g')
      // The first was probably running: it comes alone, with its crash. Then the rest, in two parts.
      const suspect = await go('busAAAAA~2', { want: 2 })
      const dead = { lease: suspect.lastLease, index: 0, outcome: 'dead', reason: 'attempts', error: '{}' } as const
      const part = await go('busAAAAA~2', { settles: [dead], want: 2 })
      const rest = await go('busAAAAA~2', { want: 2 })
      expect(suspect.ranges.map(({ failure }) => failure?.crashes)).to.deep.equal([1])
      expect([...part.ranges, ...rest.ranges].map(({ from, count, again }) => [from, count, again])).to.deep.equal([
        [1, 2, true],
        [3, 2, true],
      ])
      await driven.scripts.run(redrive, TOPIC, { group: 'g', limit: 10 })
      await put([{ value: encodeBatch([6]) }])
      const { ranges } = await go('busAAAAA~2')
      expect(ranges.map(({ again }) => again)).to.deep.equal([true, false])
    })
  })

  describe('a delayed message', () => {
    const skipping: GuardLua = { name: 'inbox', keys: [], lua: 'return { skip = function() return true end }' }
    beforeEach(() => begin({ guards: { fetch: [skipping] } }))

    it('that one group has done in the very request in which it became due is still there for the other', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await put([{ value: encodeBatch([1]), delayMs: 60_000 }])
      const scheduled = driven.scripts.key(TOPIC, 'scheduled')
      for (const member of await place.redis.zrange(scheduled, '0', '-1')) await place.redis.zadd(scheduled, 1, member)
      const guards = { fetchGuardCalls: [{ guard: 0, args: [] }], guardKeys: { fetch: [[]], settle: [] } }
      expect(bodies(await go('busAAAAA~1', guards))).to.deep.equal([])
      expect(bodies(await go('busAAAAA~2', {}, 'h@2'))).to.deep.equal([1])
    })
  })

  describe('a batch of which more becomes due in the very request that recovers some of it', () => {
    it('is settled by all of its messages, each once', async () => {
      const due = async (...members: number[]) => {
        const waiting = await place.redis.zrange(driven.scripts.key(TOPIC, 'scheduled'), '0', '-1')
        for (const i of members) await place.redis.zadd(driven.scripts.key(TOPIC, 'scheduled'), 1, waiting[i] as string)
      }
      await enter('busAAAAA~1', 'g', { concurrency: 1, maxCrashes: 1 })
      await enter('busBBBBB~1')
      await put([
        { value: encodeBatch(['running']) },
        { value: encodeBatch(['held', 'late', 'next'], { expiresAtMs: [0, 1, 0] }), delayMs: 1e6 },
      ])
      await due(0)
      expect(bodies(await go('busAAAAA~1'))).to.deep.equal(['running', 'held'])
      // Its session goes silent, and the rest is due.
      await place.redis.zadd(driven.scripts.key(TOPIC, 'g@1:sessions'), 1, 'busAAAAA~1')
      await due(0, 1)
      const reply = await go('busBBBBB~1', { renew: true })
      expect(bodies(reply)).to.deep.equal(['held', 'next'])
      await go('busBBBBB~1', { acks: reply.ranges.map(({ lease }) => ({ lease })), want: 0 })
      await driven.scripts.run(purge, TOPIC, { group: 'g', what: 'dead', limit: 10, producer: 'freshAAA' })
      expect([...(await readTopic(place.redis, place.namespace, TOPIC)).pending]).to.deep.equal([])
    })
  })

  describe('many sessions that went silent at once', () => {
    it('are recovered in steps that follow one another, not one at each renewal', async () => {
      const silent = Array.from({ length: 25 }, (_, i) => `gone____~${i}`)
      for (const id of silent) await enter(id)
      for (const id of silent) await place.redis.zadd(`${place.namespace}:{${TOPIC}}:g@1:sessions`, 1, id)
      await enter('busAAAAA~1')
      let steps = 1
      while ((await go('busAAAAA~1', { renew: true })).recovered?.more) steps++
      expect(steps).to.equal(2)
      expect(await place.redis.zcard(`${place.namespace}:{${TOPIC}}:g@1:sessions`)).to.equal(1)
    })
  })

  describe('a group that is removed', () => {
    it('is gone in bounded steps, with its sessions; the other group keeps what it has', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      for (let i = 0; i < 5; i++) await put([{ value: encodeBatch([1, 2, 3, 4]) }])
      await go('busAAAAA~1', { want: 6 })
      let steps = 0
      for (let more = true; more; steps++)
        ({ more } = await driven.scripts.run(removeGroup, TOPIC, { group: 'g', limit: 5, producer: `fresh${steps}` }))
      expect(steps).to.be.within(4, 6)
      const lost = { group: 'g@1', session: 'busAAAAA~1', epoch: 0, number: 2, want: 1, wantBytes: 1, acks: [] }
      const reply = await driven.scripts.run(advance, TOPIC, { ...lost, releases: [], settles: [], renew: false })
      expect(reply).to.deep.equal({ status: 'lost' })
      const { groups } = await driven.scripts.run(stats, TOPIC, undefined)
      expect(Object.keys(groups)).to.deep.equal(['h'])
      expect(groups.h).to.include({ ready: 20, inFlight: 0 })
      const topic = await readTopic(place.redis, place.namespace, TOPIC)
      expect([...topic.groups.keys()]).to.deep.equal(['h@2'])
    })
  })

  for (const redisVersion of ['7.0.0', '6.2.0'])
    describe(`with memory full, composed for Redis ${redisVersion}`, () => {
      beforeEach(() => begin({ redisVersion }))
      afterEach(() => place.redis.config('SET', 'maxmemory', '0'))

      it('a publish is refused whole, settling goes on, a settle that publishes stays leased', async () => {
        await enter('busAAAAA~1')
        await put([{ value: encodeBatch([1, 2]) }])
        const { lastLease } = await go('busAAAAA~1')
        await place.redis.config('SET', 'maxmemory', '1')
        const before = await readTopic(place.redis, place.namespace, TOPIC)
        const refused = async (attempt: () => Promise<unknown>) => {
          const error = await attempt().then(
            () => undefined,
            (problem: Error) => problem,
          )
          expect(error?.message).to.match(/OOM/)
          expect(await readTopic(place.redis, place.namespace, TOPIC)).to.deep.equal(before)
        }
        await refused(() => put([{ value: encodeBatch([3]) }]))
        driven.published--
        const staged = [{ topic: TOPIC, batch: { value: encodeBatch([4]) } }]
        await refused(() => go('busAAAAA~1', { settles: [{ lease: lastLease, index: 0, outcome: 'done', staged }] }))
        driven.advanced.set('busAAAAA~1', 1)
        const problem = '{"message":"no"}'
        const settles: Settle[] = [
          { lease: lastLease, index: 1, outcome: 'retry', delayMs: 0, counted: true, error: problem },
        ]
        const reply = await go('busAAAAA~1', { acks: [{ lease: lastLease, from: 0, count: 1 }], settles, renew: true })
        expect(bodies(reply)).to.deep.equal([2])
      })
    })
})
