/** What the scripts tell whoever watches a topic, on every path that ends a message or puts it off, and that they tell nobody where nobody listens. */
import {
  advancePublishing,
  close,
  compose,
  declare,
  type GuardLua,
  open,
  outboxRead,
  progress,
  publish,
  purge,
  redrive,
  relay,
  removeGroup,
  type Settle,
  type StagedPublish,
  scriptNames,
  watch,
} from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { type Listening, listen, type Told } from './listening.js'

const MINUTE_MS = 60_000
const ERROR = '{"name":"Error","message":"no"}'
const error = JSON.parse(ERROR)

describe('who watches a topic', () => {
  const driven = drivenTopic()
  const { place, begin, put, enter, go } = driven
  let listening: Listening | undefined

  const key = (name: string) => driven.scripts.key(TOPIC, name)
  const run = <Q, A>(script: Parameters<typeof driven.scripts.run<Q, A>>[0], request: Q) =>
    driven.scripts.run(script, TOPIC, request)
  const begins = async () => {
    listening = await listen(place.redis, key('events'))
    await run(watch, { forMs: MINUTE_MS })
  }
  const flag = () => place.redis.hget(key('meta'), 'watched')
  /** The events of the one PUBLISH that `work` made. */
  const told = async (work: () => Promise<unknown>): Promise<Told[]> => {
    await listening?.heard()
    await work()
    const payloads = (await listening?.heard()) ?? []
    expect(payloads, 'one PUBLISH').to.have.length(1)
    return payloads[0] as Told[]
  }
  const nothingTold = async (work: () => Promise<unknown>) => {
    await listening?.heard()
    await work()
    expect(await listening?.heard()).to.deep.equal([])
  }
  const settle = (lease: number, index: number, more: object): Settle => ({ lease, index, ...more }) as Settle
  const failed = { outcome: 'retry', delayMs: 1000, counted: true, error: ERROR }
  const died = { outcome: 'dead', reason: 'unrecoverable', error: ERROR }
  /** The session's lease is over, and its group was never silent. */
  const expire = async (session: string, group = 'g@1') => {
    await place.redis.zadd(key(`${group}:sessions`), 1, session)
  }
  const nowMs = async () => (await run(watch, { forMs: 1 })).nowMs

  afterEach(async () => {
    await listening?.stop()
    listening = undefined
  })

  describe('is told', () => {
    beforeEach(begins)

    it('of acks, one message after the other in their order, whole ranges, parts, and batches of one', async () => {
      await enter('busAAAAA~1')
      await put([
        { value: encodeBatch([1, 2, 3, 4, 5]) },
        { value: encodeBatch([6]) },
        { value: encodeBatch([7]), id: 'own' },
      ])
      const { lastLease } = await go('busAAAAA~1')
      const [batch, alone, own] = [lastLease - 2, lastLease - 1, lastLease]
      const ended = { type: 'settled', group: 'g', outcome: 'done' }
      const part = { lease: batch, from: 2, count: 2 }
      expect(await told(() => go('busAAAAA~1', { acks: [part] }))).to.deep.equal([
        { ...ended, batch: 'prodAAAA-1-0', index: 2 },
        { ...ended, batch: 'prodAAAA-1-0', index: 3 },
      ])
      expect(
        await told(() => go('busAAAAA~1', { acks: [batch, alone, own].map((lease) => ({ lease })) })),
      ).to.deep.equal([
        { ...ended, batch: 'prodAAAA-1-0', index: 0 },
        { ...ended, batch: 'prodAAAA-1-0', index: 1 },
        { ...ended, batch: 'prodAAAA-1-0', index: 4 },
        { ...ended, batch: 'prodAAAA-1-1', index: 0 },
        { ...ended, batch: '=own', index: 0 },
      ])
    })

    it('of a batch of 128 by one range', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch(Array.from({ length: 128 }, (_, i) => i)) }])
      const { lastLease: lease } = await go('busAAAAA~1', { want: 128 })
      await listening?.payloads()
      await go('busAAAAA~1', { acks: [{ lease }] })
      const payloads = await listening?.payloads()
      expect(payloads).to.have.length(1)
      expect(payloads?.[0]).to.match(
        /^\{"time":\d{13},"told":\[\{"type":"settled","group":"g","range":"0,128,128,prodAAAA-1-0","outcome":"done"\}\]\}$/,
      )
    })

    it('of single settles: a result, why there is none, a retry and when it is due, a dead letter and its reason', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1, 2, 3, 4, 5]) }])
      const { lastLease: lease } = await go('busAAAAA~1')
      const before = await nowMs()
      const settles = [
        settle(lease, 0, { outcome: 'done', result: '{"ok":[1,"é"]}' }),
        settle(lease, 1, { outcome: 'done', result: `!${ERROR}` }),
        settle(lease, 2, failed),
        settle(lease, 3, died),
        settle(lease, 4, { ...died, reason: 'expired' }),
      ]
      const events = await told(() => go('busAAAAA~1', { settles, want: 0 }))
      const [done, silent, retried, dead, late] = events as [Told, Told, Told, Told, Told]
      const of = (index: number) => ({ group: 'g', batch: 'prodAAAA-1-0', index })
      const alone = (index: number) => ({ group: 'g', batch: `prodAAAA-1-0.${index}`, index: 0 })
      expect(done).to.deep.equal({ type: 'settled', ...of(0), outcome: 'done', result: { ok: [1, 'é'] } })
      expect(silent).to.deep.equal({ type: 'settled', ...of(1), outcome: 'done', error })
      expect(retried).to.deep.include({ type: 'retried', ...alone(2), attempt: 1, error })
      expect(retried.due).to.be.within(before + 1000, before + 3000)
      expect(dead).to.deep.equal({ type: 'dead', ...alone(3), attempt: 1, reason: 'unrecoverable', error })
      expect(late).to.deep.equal({ type: 'dead', ...alone(4), reason: 'expired', error })
    })

    it('which attempt it was: of a success after failures, of a failure that did not count', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1]) }])
      const attempt = async (more: object) => {
        const { lastLease: lease } = await go('busAAAAA~1')
        return (await told(() => go('busAAAAA~1', { settles: [settle(lease, 0, more)], want: 0 })))[0]?.attempt
      }
      const now = { ...failed, delayMs: 0 }
      expect(await attempt(now)).to.equal(1)
      expect(await attempt({ ...now, counted: false })).to.equal(2)
      expect(await attempt(now)).to.equal(2)
      expect(await attempt({ outcome: 'done', result: '1' })).to.equal(3)
    })

    it('of what a guard knew to be done', async () => {
      const skipping: GuardLua = { name: 'inbox', keys: [], lua: 'return { skip = function() return true end }' }
      await begin({ guards: { fetch: [skipping] } })
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1, 2]) }])
      const guards = { fetchGuardCalls: [{ guard: 0, args: [] }], guardKeys: { fetch: [[]], settle: [] } }
      const events = await told(() => go('busAAAAA~1', guards))
      expect(events.map(({ type, outcome, index }) => [type, outcome, index])).to.deep.equal([
        ['settled', 'done', 0],
        ['settled', 'done', 1],
      ])
    })

    it('of messages that expire before they are taken', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1, 2], { expiresAtMs: [0, 1] }) }])
      const events = await told(() => go('busAAAAA~1'))
      expect(events).to.have.length(1)
      expect(events[0]).to.deep.include({ type: 'dead', group: 'g', batch: 'prodAAAA-1-0.1', reason: 'expired' })
      expect(events[0]).to.not.have.property('attempt')
    })

    for (const how of ['an advance', 'an open'] as const)
      it(`of crashes that ${how} finds: tried again, and at the last a dead letter; not of what had not started`, async () => {
        await enter('gone____~1', 'g', { concurrency: 1 })
        await put([{ value: encodeBatch([1, 2]) }])
        const recover = (by: string) =>
          how === 'an open' ? enter(by, 'g', { concurrency: 1 }) : go(by, { renew: true, want: 0 })
        if (how === 'an advance') await enter('busAAAAA~1', 'g', { concurrency: 1 })
        const crash = async (n: number) => {
          if (n > 1) await enter(`gone____~${n}`, 'g', { concurrency: 1 })
          const { ranges } = await go(`gone____~${n}`)
          expect(ranges).to.have.length(1)
          await expire(`gone____~${n}`)
          return told(() => recover(how === 'an open' ? `busAAAAA~${n}` : 'busAAAAA~1'))
        }
        const crashed = { group: 'g', batch: 'prodAAAA-1-0.0', index: 0 }
        for (const attempt of [1, 2]) {
          const events = await crash(attempt)
          expect(events).to.have.length(1)
          expect(events[0]).to.deep.include({ type: 'retried', ...crashed, attempt })
          expect(events[0]).to.have.nested.property('error.message', 'its session ended while it ran')
        }
        const last = await crash(3)
        expect(last).to.have.length(1)
        expect(last[0]).to.deep.include({ type: 'dead', ...crashed, attempt: 3, reason: 'crashes' })
      })

    it('of a run that a closed session left behind and that did not end', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1]) }])
      const { lastLease: lease } = await go('busAAAAA~1')
      await nothingTold(() => run(close, { group: 'g@1', session: 'busAAAAA~1', running: [{ lease }] }))
      await expire('busAAAAA~1')
      const events = await told(() => enter('busAAAAA~2'))
      expect(events[0]).to.deep.include({ type: 'retried', attempt: 1, batch: 'prodAAAA-1-0' })
    })

    it('of a purge of what waits, not of dead letters that go: their end was told', async () => {
      await enter('busAAAAA~1', 'g', { deadMax: 1 })
      await put([{ value: encodeBatch([1, 2, 3, 4]) }])
      const { lastLease: lease } = await go('busAAAAA~1', { want: 3 })
      const settles = [0, 1, 2].map((index) => settle(lease, index, died))
      const deaths = await told(() => go('busAAAAA~1', { settles, want: 0 }))
      expect(
        deaths.map(({ type }) => type),
        'two of them trimmed in the same script',
      ).to.deep.equal(['dead', 'dead', 'dead'])
      await nothingTold(() => run(purge, { group: 'g', what: 'dead', limit: 10, producer: 'freshAAA' }))
      expect(
        await told(() => run(purge, { group: 'g', what: 'waiting', limit: 10, producer: 'freshBBB' })),
      ).to.deep.equal([{ type: 'settled', group: 'g', batch: 'prodAAAA-1-0', index: 3, outcome: 'purged' }])
    })

    it('of the removal of a group, in flight or waiting, and of no other', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await put([{ value: encodeBatch([1, 2]) }])
      await go('busAAAAA~1', { want: 1 })
      const events = await told(() => run(removeGroup, { group: 'g', limit: 10, producer: 'freshAAA' }))
      expect(events).to.deep.equal(
        [0, 1].map((index) => ({ type: 'settled', group: 'g', batch: 'prodAAAA-1-0', index, outcome: 'removed' })),
      )
    })

    it('of a redrive', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1, 2]) }])
      const { lastLease: lease } = await go('busAAAAA~1', { want: 1 })
      await go('busAAAAA~1', { settles: [settle(lease, 0, died)], want: 0 })
      expect(await told(() => run(redrive, { group: 'g', limit: 10 }))).to.deep.equal([
        { type: 'redriven', group: 'g', batch: 'prodAAAA-1-0.0', index: 0 },
      ])
    })

    describe('of messages that no group had yet and that were replaced', () => {
      const debounce: GuardLua = {
        name: 'debounce',
        keys: [],
        lua: 'return { check = function(m, args) if args[1] == "" then return defer(60000) end return replace(args[1]), defer(60000) end }',
      }
      const calls = (...ids: string[]) => ({
        units: ids.map(() => 1),
        guardKeys: [[]],
        guardCalls: ids.map((id, message) => ({ message, guard: 0, args: [id] })),
      })
      beforeEach(() => begin({ guards: { publish: [debounce] } }))

      it('by a publish', async () => {
        await put([{ value: encodeBatch([1]) }], calls(''))
        const again = await told(() => put([{ value: encodeBatch([2, 3]) }], calls('prodAAAA-1-0.0', 'prodAAAA-2-0.0')))
        expect(again).to.deep.equal([
          { type: 'settled', batch: 'prodAAAA-1-0', index: 0, outcome: 'replaced' },
          { type: 'settled', batch: 'prodAAAA-2-0', index: 0, outcome: 'replaced' },
        ])
      })

      it('by a settle that publishes, with its own end, in one piece', async () => {
        await enter('busAAAAA~1')
        await put([{ value: encodeBatch([1]) }], calls(''))
        await put([{ value: encodeBatch([2]) }])
        const { lastLease: lease } = await go('busAAAAA~1')
        const { guardCalls, guardKeys } = calls('prodAAAA-1-0.0')
        const staged = [{ topic: TOPIC, batch: { value: encodeBatch([3]) }, guardCalls, guardKeys }]
        const events = await told(() => go('busAAAAA~1', { settles: [settle(lease, 0, { outcome: 'done', staged })] }))
        expect(events).to.deep.equal([
          { type: 'settled', group: 'g', batch: 'prodAAAA-2-0', index: 0, outcome: 'done' },
          { type: 'settled', batch: 'prodAAAA-1-0', index: 0, outcome: 'replaced' },
        ])
      })

      it('by what another topic sends', async () => {
        await put([{ value: encodeBatch([1]) }], calls(''))
        const { guardCalls, guardKeys } = calls('prodAAAA-1-0.0')
        const staged = [{ topic: TOPIC, batch: { value: encodeBatch([3]) }, guardCalls, guardKeys }]
        const entries = await sentFrom('source', staged)
        const events = await told(() => run(relay, { entries }))
        expect(events).to.deep.equal([{ type: 'settled', batch: 'prodAAAA-1-0', index: 0, outcome: 'replaced' }])
      })
    })

    describe('of progress', () => {
      const value = '{"percent":42}'
      const tell = (lease: number, index: number, more: object = {}) =>
        run(progress, { group: 'g@1', session: 'busAAAAA~1', lease, index, attempt: 1, value, ...more })

      it('by the session that holds the message, of any message of its range', async () => {
        await enter('busAAAAA~1')
        await put([{ value: encodeBatch([1, 2, 3]) }])
        const { lastLease: lease } = await go('busAAAAA~1')
        expect(await told(() => tell(lease, 2, { attempt: 4 }))).to.deep.equal([
          { type: 'progress', group: 'g', batch: 'prodAAAA-1-0', index: 2, attempt: 4, value: { percent: 42 } },
        ])
      })

      it('not by one that does not hold it, or not any more', async () => {
        await enter('busAAAAA~1')
        await put([{ value: encodeBatch([1]) }])
        const { lastLease: lease } = await go('busAAAAA~1')
        await nothingTold(() => tell(lease + 1, 0))
        await nothingTold(() => tell(lease, 0, { session: 'busAAAAA~2' }))
        await go('busAAAAA~1', { acks: [{ lease }] })
        await listening?.heard()
        await nothingTold(() => tell(lease, 0))
      })
    })

    it('of nothing where nothing ends: publishing, taking, giving back', async () => {
      await enter('busAAAAA~1')
      await nothingTold(async () => {
        await put([{ value: encodeBatch([1, 2]) }])
        const { lastLease: lease } = await go('busAAAAA~1', { want: 1 })
        await go('busAAAAA~1', { releases: [{ lease }], want: 0 })
        await run(close, { group: 'g@1', session: 'busAAAAA~1', running: [] })
      })
    })
  })

  describe('is known', () => {
    const turnover = async () => {
      await put([{ value: encodeBatch([1]) }])
      const { ranges } = await go('busAAAAA~1')
      return go('busAAAAA~1', { acks: ranges.map(({ lease }) => ({ lease })) })
    }
    beforeEach(() => enter('busAAAAA~1'))

    it('to whoever consumes: by each reply, and at once on the wake channels of their buses', async () => {
      await enter('busAAAAA~2', 'h')
      await enter('busBBBBB~1', 'h')
      const [one, other] = [await listenWake('busAAAAA'), await listenWake('busBBBBB')]
      expect((await go('busAAAAA~1')).watched).to.equal(false)
      expect((await run(watch, { forMs: MINUTE_MS })).wasWatched).to.equal(false)
      expect((await run(watch, { forMs: MINUTE_MS })).wasWatched).to.equal(true)
      expect((await go('busAAAAA~1')).watched).to.equal(true)
      expect(await one()).to.deep.equal(['watched'])
      expect(await other()).to.deep.equal(['watched'])
    })

    it('for a time, that no later one shortens', async () => {
      const { nowMs: first } = await run(watch, { forMs: MINUTE_MS })
      await run(watch, { forMs: 5 })
      expect(Number(await flag())).to.equal(first + MINUTE_MS)
      await place.redis.hset(key('meta'), 'watched', 1)
      expect((await go('busAAAAA~1')).watched).to.equal(false)
      expect((await run(watch, { forMs: MINUTE_MS })).wasWatched).to.equal(false)
    })

    it('until nobody hears an event', async () => {
      await run(watch, { forMs: MINUTE_MS })
      expect((await turnover()).watched).to.equal(false)
      expect(await flag()).to.equal(null)
    })

    it('until nobody hears of progress', async () => {
      await put([{ value: encodeBatch([1]) }])
      const { lastLease: lease } = await go('busAAAAA~1')
      await run(watch, { forMs: MINUTE_MS })
      const request = { group: 'g@1', session: 'busAAAAA~1', lease, index: 0, attempt: 1, value: '1' }
      expect(await run(progress, request)).to.deep.equal({ watched: false })
      expect(await flag()).to.equal(null)
    })

    it('until the last says that it stops, and no earlier', async () => {
      await begins()
      const second = await listen(place.redis, key('events'))
      await listening?.stop()
      expect((await run(watch, { forMs: 0 })).wasWatched).to.equal(true)
      expect(await flag(), 'another listens').to.not.equal(null)
      await second.stop()
      await run(watch, { forMs: 0 })
      expect(await flag()).to.equal(null)
      expect((await run(watch, { forMs: 0 })).wasWatched).to.equal(false)
    })

    it('of a topic that is not there yet, and leaves nothing of it', async () => {
      const [forMs, elsewhere] = [MINUTE_MS, 'not.yet']
      await driven.scripts.run(watch, elsewhere, { forMs })
      await driven.scripts.run(watch, elsewhere, { forMs: 0 })
      expect(await place.redis.keys(driven.scripts.key(elsewhere, '*'))).to.deep.equal([])
    })

    it('while Redis is full', async () => {
      await place.redis.config('SET', 'maxmemory', '1')
      try {
        expect((await run(watch, { forMs: MINUTE_MS })).wasWatched).to.equal(false)
      } finally {
        await place.redis.config('SET', 'maxmemory', '0')
      }
    })
  })

  it('is heeded by every script that may end messages or put them off', () => {
    const ending = ['finish', 'bury', 'retryLater']
    const heeding = scriptNames.filter((name) => {
      const { text } = compose({ redisVersion: '7.0.0' }).get(name)
      if (!ending.some((each) => reached(text).has(each))) return false
      expect(text, name).to.contain('lib.watched == nil')
      expect(text, name).to.contain('lib.watchers.tell()')
      return true
    })
    expect(heeding).to.include.members(['advance', 'open', 'publish', 'purge', 'relay', 'remove-group'])
    expect(heeding).to.not.include.members(['close', 'sync', 'declare'])
  })

  /** The functions that a script may come to call, from its own lines on. */
  function reached(text: string): Set<string> {
    const bodies = new Map<string, string>()
    const main = text.replaceAll(/^(?:local )?function lib\.(\w+)\([\s\S]*?\nend$/gm, (whole, name: string) => {
      bodies.set(name, (bodies.get(name) ?? '') + whole.slice(whole.indexOf('\n')))
      return ''
    })
    const found = new Set<string>()
    const follow = (code: string): void => {
      for (const [, name = ''] of code.matchAll(/lib\.(\w+)\(/g)) {
        if (found.has(name)) continue
        found.add(name)
        follow(bodies.get(name) ?? '')
      }
    }
    follow(main)
    return found
  }

  /** The outbox of another topic, of which a message was settled and published that. */
  async function sentFrom(topic: string, staged: readonly StagedPublish[]): Promise<Buffer[]> {
    const at = <Q, A>(script: Parameters<typeof driven.scripts.run<Q, A>>[0], request: Q) =>
      driven.scripts.run(script, topic, request)
    const [session, settings] = ['busSSSSS~1', { leaseMs: MINUTE_MS, concurrency: 1, maxCrashes: 3, info: '{}' }]
    await at(declare, { session: 'prodSSSS' })
    const { group } = await at(open, { group: 's', session, ...settings, deadMax: 1, deadKeepMs: 1 })
    const batches = [{ value: encodeBatch([2]) }]
    await at(publish, { session: 'prodSSSS', number: 1, lowestUnanswered: 1, batches })
    const request = { group, session, epoch: 0, want: 1, wantBytes: 1 << 20, acks: [], releases: [], renew: false }
    await at(advancePublishing, { ...request, number: 1, settles: [] })
    await at(advancePublishing, { ...request, number: 2, settles: [settle(1, 0, { outcome: 'done', staged })] })
    return (await at(outboxRead, { limit: 10 })).entries.map(({ entry }) => entry)
  }

  /** What comes on the wake channel of a bus until the function is called. */
  async function listenWake(bus: string): Promise<() => Promise<string[]>> {
    const subscriber = place.redis.duplicate()
    const heard: string[] = []
    let ended: () => void = () => {}
    subscriber.on('message', (_, text) => (text === 'end' ? ended() : heard.push(text)))
    await subscriber.subscribe(key(`wake:${bus}`))
    return async () => {
      const flushed = new Promise<void>((resolve) => {
        ended = resolve
      })
      await place.redis.publish(key(`wake:${bus}`), 'end')
      await flushed
      subscriber.disconnect()
      return heard
    }
  }
})
