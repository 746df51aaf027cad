/** Cancelling by id, beside the model of model.test.ts: who is told, more sessions than one call looks through, many marks, ids that come again. */
import { type CancelReply, cancel, type GuardLua, outboxRead, outboxTrim, purgeTopic, relay, stats } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { encodeBatch } from './batch.js'
import { drivenTopic, OTHER, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

describe('a cancelled message', () => {
  const driven = drivenTopic()
  const { place, begin, put, enter, go, bodies } = driven
  let tokens = 0
  const step = (id: string, token: string, cursor?: string, tell = false): Promise<CancelReply> =>
    driven.scripts.run(cancel, TOPIC, { id, token, tell, ...(cursor !== undefined && { cursor }) })
  /** To its end. */
  const cancelled = async (id: string, tell = false) => {
    const token = `token${++tokens}`
    let [held, told, calls] = [0, 0, 0]
    for (let cursor: string | undefined; ; ) {
      const reply = await step(id, token, cursor, tell)
      held += reply.held
      told += reply.told
      calls++
      cursor = reply.cursor
      if (cursor === undefined) return { ended: reply.ended, held, told, calls }
    }
  }
  const topic = () => readTopic(place.redis, place.namespace, TOPIC)
  const finish = async (session: string, group = 'g@1') => {
    for (let acks: { lease: number }[] = []; ; ) {
      const reply = await go(session, { acks, want: 1000 }, group)
      acks = reply.ranges.map(({ lease }) => ({ lease }))
      if (acks.length === 0 && !reply.gone) return
    }
  }

  it('is told to whoever waits for its end, by each group', async () => {
    await enter('busAAAAA~1', 'g')
    await enter('busAAAAA~2', 'h')
    await put([{ value: encodeBatch([1], { properties: [[5, `{"topic":"${OTHER}"}`]] }) }])
    expect(await cancelled('prodAAAA-1-0.0')).to.include({ ended: 2, held: 0 })
    const { entries } = await driven.scripts.run(outboxRead, TOPIC, { limit: 10 })
    await driven.scripts.run(relay, OTHER, { entries: entries.map(({ entry }) => entry) })
    await driven.scripts.run(outboxTrim, TOPIC, { destination: OTHER, tags: entries.map(({ tag }) => tag) })
    const { batches } = await readTopic(place.redis, place.namespace, OTHER)
    expect(
      [...batches.values()].map((value) => JSON.parse(/\{.*\}/.exec(String(value))?.[0] as string)),
    ).to.have.deep.members([
      { id: 'prodAAAA-1-0.0', group: 'g', outcome: 'cancelled', last: false },
      { id: 'prodAAAA-1-0.0', group: 'h', outcome: 'cancelled', last: true },
    ])
    await finish('busAAAAA~1')
    await finish('busAAAAA~2', 'h@2')
    expect((await topic()).leftovers).to.deep.equal([])
  })

  it('does not count as ready, though its place is only met when it is its turn', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch([1, 2, 3]) }])
    await put([{ value: encodeBatch([4]) }])
    for (const id of ['prodAAAA-1-0.0', 'prodAAAA-1-0.2', 'prodAAAA-2-0.0']) await cancelled(id)
    expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.g).to.include({ ready: 1, inFlight: 0 })
    const reply = await go('busAAAAA~1')
    expect(reply.ranges.map(({ from, count, skip }) => ({ from, count, skip }))).to.deep.equal([
      { from: 0, count: 3, skip: [0, 2] },
    ])
    expect((await driven.scripts.run(stats, TOPIC, undefined)).groups.g).to.include({ ready: 0, inFlight: 1 })
    await go('busAAAAA~1', { acks: [{ lease: 1 }] })
    expect((await topic()).leftovers).to.deep.equal([])
  })

  it('is named to whoever holds it, if that is asked for', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch([1, 2, 3]) }])
    await go('busAAAAA~1')
    expect(await cancelled('prodAAAA-1-0.2', true), 'nobody hears it').to.include({ ended: 0, held: 1, told: 0 })
    const heard: string[] = []
    const subscriber = place.redis.duplicate()
    await subscriber.subscribe(driven.scripts.key(TOPIC, 'wake:busAAAAA'))
    const message = new Promise((resolve) =>
      subscriber.on('message', (_channel, payload) => resolve(heard.push(payload))),
    )
    expect(await cancelled('prodAAAA-1-0.2', true)).to.include({ ended: 0, held: 1, told: 1 })
    await message
    subscriber.disconnect()
    expect(heard).to.deep.equal(['g@1 busAAAAA~1 cancel 1 2'])
    await go('busAAAAA~1', { acks: [{ lease: 1 }] })
  })

  it('is cancelled once: a request that is sent again answers what it answered', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch([1]) }])
    expect(await step('prodAAAA-1-0.0', 'same')).to.include({ ended: 1 })
    expect(await step('prodAAAA-1-0.0', 'same')).to.include({ ended: 1 })
    expect(await step('prodAAAA-1-0.0', 'other')).to.include({ ended: 0, held: 0 })
    await finish('busAAAAA~1')
  })

  it('may come again under its own id, elsewhere and with another key, and is not taken for the one that ended', async () => {
    await enter('busAAAAA~1')
    const prioritized = { properties: [[3, '5']] as const }
    const keyed = { properties: [[2, 'k']] as const }
    await put([{ value: encodeBatch(['first']), id: 'own' }])
    await put([{ value: encodeBatch(['other']) }])
    await cancelled('own')
    await put([{ value: encodeBatch(['second'], prioritized), id: 'own' }])
    await cancelled('own')
    await put([{ value: encodeBatch(['third'], keyed), id: 'own', front: true }])
    const reply = await go('busAAAAA~1')
    expect(bodies(reply)).to.deep.equal(['third', 'other'])
    expect(reply.ranges[0]?.key).to.equal('k')
    await go('busAAAAA~1', { acks: reply.ranges.map(({ lease }) => ({ lease })) })
    expect((await topic()).leftovers).to.deep.equal([])
  })

  it('is one of hundreds that are', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch(Array.from({ length: 500 }, (_, i) => i)) }])
    const isGone = (i: number) => i % 5 !== 0
    for (let i = 0; i < 500; i++) if (isGone(i)) await cancelled(`prodAAAA-1-0.${i}`)
    expect((await topic()).groups.get('g@1')?.marks.size).to.equal(400)
    const { ranges } = await go('busAAAAA~1', { want: 300 })
    const rest = await go('busAAAAA~1', { want: 300 })
    const skipped = [...ranges, ...rest.ranges].flatMap(
      ({ from, skip }) => skip?.map((position) => from + position) ?? [],
    )
    expect(skipped).to.deep.equal(Array.from({ length: 500 }, (_, i) => i).filter(isGone))
    await go('busAAAAA~1', { acks: [{ lease: 1 }, { lease: 2 }] })
    expect((await topic()).leftovers).to.deep.equal([])
  })

  describe('where more sessions hold messages than one call looks through', () => {
    const SESSIONS = 60
    const waits = async (count: number) => {
      for (let i = 0; i < SESSIONS; i++) await enter(`busAAAAA~${i}`)
      for (let i = 0; i < count; i++) await put([{ value: encodeBatch([i]) }])
    }

    it('ends in the last of several calls', async () => {
      await waits(1)
      const { calls, ...rest } = await cancelled('prodAAAA-1-0.0')
      expect(rest).to.deep.equal({ ended: 1, held: 0, told: 0 })
      expect(calls).to.equal(Math.ceil(SESSIONS / 16))
      await finish('busAAAAA~3')
      expect((await topic()).leftovers).to.deep.equal([])
    })

    it('is left to whoever took it while it was looked for, who knows nothing of it', async () => {
      await waits(1)
      const first = await step('prodAAAA-1-0.0', 'looking')
      expect(first.cursor).to.not.equal(undefined)
      expect((await topic()).groups.get('g@1')?.watched.size).to.equal(1)
      expect(bodies(await go('busAAAAA~59'))).to.deep.equal([0])
      expect((await topic()).groups.get('g@1')?.watched.size).to.equal(0)
      let last = first
      while (last.cursor !== undefined) last = await step('prodAAAA-1-0.0', 'looking', last.cursor)
      expect(last).to.include({ ended: 0, held: 1 })
      await go('busAAAAA~59', { acks: [{ lease: 1 }] })
    })

    it('that is no longer looked for is forgotten at a renewal, in its time', async () => {
      await waits(1)
      await step('prodAAAA-1-0.0', 'gone')
      await go('busAAAAA~5', { want: 0, renew: true })
      expect((await topic()).groups.get('g@1')?.watched.size).to.equal(1)
      await place.redis.hset(driven.scripts.key(TOPIC, 'g@1:watched'), 'prodAAAA-1-0', Date.now() - 120_000)
      await go('busAAAAA~5', { want: 0, renew: true })
      expect((await topic()).groups.get('g@1')?.watched.size).to.equal(0)
      await finish('busAAAAA~5')
    })

    it('has either been taken or cancelled, never both and never neither, whatever happens between the calls', async function () {
      this.timeout(60_000)
      const between = fc.oneof(
        fc.record({
          kind: fc.constant('fetch' as const),
          session: fc.nat(SESSIONS - 1),
          want: fc.integer({ min: 1, max: 3 }),
        }),
        fc.record({ kind: fc.constant('give back' as const), session: fc.nat(SESSIONS - 1) }),
        fc.record({ kind: fc.constant('expire' as const), session: fc.nat(SESSIONS - 1) }),
        fc.record({ kind: fc.constant('renew' as const), session: fc.nat(SESSIONS - 1) }),
        fc.record({ kind: fc.constant('again' as const) }),
      )
      await fc.assert(
        fc.asyncProperty(
          fc.nat(5),
          fc.array(fc.array(between, { maxLength: 4 }), { maxLength: 6 }),
          async (which, turns) => {
            await begin()
            await place.redis.eval(
              "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end",
              0,
              `${place.namespace}:*`,
            )
            await begin()
            await waits(6)
            const held = new Map<string, Map<number, number>>()
            const lost = new Set<string>()
            const id = `prodAAAA-${which + 1}-0.0`
            const token = `race${++tokens}`
            let [cursor, calls, heldReplies]: [string | undefined, number, number] = [undefined, 0, 0]
            let reply: CancelReply | undefined
            for (let turn = 0; calls === 0 || cursor !== undefined; turn++) {
              const before: string | undefined = cursor
              reply = await step(id, token, cursor)
              if (turns[turn]?.some(({ kind }) => kind === 'again')) reply = await step(id, token, before)
              heldReplies += reply.held
              calls++
              cursor = reply.cursor
              for (const each of turns[turn] ?? []) {
                if (each.kind === 'again') continue
                const session = `busAAAAA~${each.session}`
                if (lost.has(session)) continue
                const mine = held.get(session) ?? new Map<number, number>()
                held.set(session, mine)
                if (each.kind === 'expire') {
                  await place.redis.zadd(driven.scripts.key(TOPIC, 'g@1:sessions'), 1, session)
                  lost.add(session)
                  continue
                }
                const releases = each.kind === 'give back' ? [...mine.values()].map((lease) => ({ lease })) : []
                if (releases.length > 0) mine.clear()
                const want = each.kind === 'fetch' ? each.want : 0
                const { ranges } = await go(session, { want, releases, renew: each.kind === 'renew' })
                for (const [i, body] of bodies({ ranges } as never).entries())
                  mine.set(body as number, ranges[i]?.lease as number)
              }
            }
            const isGone = reply?.ended === 1
            if (isGone) expect(heldReplies, 'ended and not held').to.equal(0)
            // Whoever comes gets all but what ended.
            for (const [session, mine] of held)
              if (!lost.has(session))
                await go(session, { want: 0, releases: [...mine.values()].map((lease) => ({ lease })) })
            const seen = new Set<number>()
            for (let i = 0, idle = 0; idle < 3; i++) {
              const last = 'busBBBBB~1'
              if (i === 0) await enter(last)
              const { ranges, gone, recovered } = await go(last, { renew: true, want: 1 })
              for (const body of bodies({ ranges } as never)) seen.add(body as number)
              await go(last, { want: 0, acks: ranges.map(({ lease }) => ({ lease })) })
              idle = ranges.length === 0 && !gone && !recovered ? idle + 1 : 0
            }
            expect(seen.has(which), 'ran').to.equal(!isGone)
            expect(seen.size).to.equal(isGone ? 5 : 6)
            expect((await topic()).leftovers).to.deep.equal([])
          },
        ),
        { numRuns: Number(process.env.BUSWAY_MODEL_RUNS ?? 15), includeErrorInReport: true },
      )
    })
  })

  it('that is being purged, or was never accepted, is none', async () => {
    const picky: GuardLua = {
      name: 'picky',
      keys: [],
      lua: "return { check = function(m, args) if args[1] == 'refuse' then return duplicate('x') end end }",
    }
    await begin({ guards: { publish: [picky] } })
    await enter('busAAAAA~1')
    const guardCalls = [0, 1, 2].map((message) => ({ message, guard: 0, args: [message === 1 ? 'refuse' : ''] }))
    await put([{ value: encodeBatch(['a', 'b', 'c']) }], { units: [1, 1, 1], guardKeys: [[]], guardCalls })
    for (let i = 0; i < 3; i++) await put([{ value: encodeBatch([i]), delayMs: 60_000 }])
    await driven.scripts.run(purgeTopic, TOPIC, { what: 'scheduled', limit: 1, producer: 'purgeAAA' })
    for (const id of ['prodAAAA-1-0.1', 'prodAAAA-3-0.0', 'prodAAAA-4-0.0'])
      expect(await cancelled(id), id).to.include({ ended: 0, held: 0 })
    expect(await cancelled('prodAAAA-1-0.2')).to.include({ ended: 1 })
    for (let more = true; more; )
      ({ more } = await driven.scripts.run(purgeTopic, TOPIC, { limit: 1, producer: 'purgeAAA' }))
    await finish('busAAAAA~1')
    expect((await topic()).leftovers).to.deep.equal([])
  })

  describe('by a guard that replaces it', () => {
    const guard: GuardLua = {
      name: 'latest',
      keys: [],
      lua: 'return { check = function(m, args) return replace(args[1]) end }',
    }
    beforeEach(() => begin({ guards: { publish: [guard] } }))
    const replacing = (body: string, id: string) =>
      put([{ value: encodeBatch([body]) }], {
        units: [1],
        guardKeys: [[]],
        guardCalls: [{ message: 0, guard: 0, args: [id] }],
      })

    it('goes from wherever it waits: ready, retried, unclaimed, of the very request', async () => {
      await put([{ value: encodeBatch(['unclaimed', 'kept']) }])
      await replacing('b', 'prodAAAA-1-0.0')
      await enter('busAAAAA~1')
      await replacing('c', 'prodAAAA-2-0.0')
      const one = await go('busAAAAA~1', { want: 2 })
      expect(bodies(one)).to.deep.equal(['unclaimed', 'kept'])
      expect(one.ranges[0]?.skip).to.deep.equal([0])
      await go('busAAAAA~1', {
        want: 0,
        settles: [{ lease: 1, index: 1, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' }],
      })
      await replacing('d', 'prodAAAA-1-0.1')
      expect((await topic()).groups.get('g@1')?.retry).to.deep.equal([])
      const batches = [{ value: encodeBatch(['e']) }, { value: encodeBatch(['f']) }]
      const guardCalls = [{ message: 1, guard: 0, args: ['prodAAAA-5-0.0'] }]
      await put(batches, { units: [1, 1], guardKeys: [[]], guardCalls })
      const rest = await go('busAAAAA~1')
      expect(bodies(rest)).to.deep.equal(['c', 'd', 'f'])
      await go('busAAAAA~1', { acks: rest.ranges.map(({ lease }) => ({ lease })) })
      expect((await topic()).leftovers).to.deep.equal([])
    })

    it('stays if it is on its way', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch(['runs']) }])
      await go('busAAAAA~1')
      await replacing('next', 'prodAAAA-1-0.0')
      expect(bodies(await go('busAAAAA~1', { acks: [{ lease: 1 }] }))).to.deep.equal(['next'])
      await go('busAAAAA~1', { acks: [{ lease: 2 }] })
    })
  })
})
