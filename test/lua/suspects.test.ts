/** What becomes of messages with a crash to their name: who takes them, what guards say to that, and that nobody is left idle by it. */
import {
  type AdvanceReply,
  type AdvanceRequest,
  advance,
  type ComposeOptions,
  close,
  declare,
  type GuardLua,
  open,
  publish,
} from '@busway/lua'
import { expect } from 'chai'
import { privateRedis } from '../support/private-redis.js'
import { decodeBodies, encodeBatch } from './batch.js'
import { violations } from './invariants.js'
import { ScriptDriver } from './script-driver.js'
import { readTopic } from './snapshot.js'

const TOPIC = 'orders'
type Ok = AdvanceReply & { status: 'ok' }

describe('suspects', () => {
  const place = privateRedis()
  let scripts: ScriptDriver
  let published: number
  let advanced: Map<string, number>

  const begin = async (options: Partial<ComposeOptions> = {}) => {
    scripts = new ScriptDriver(place.redis, place.namespace, { redisVersion: place.server.version, ...options })
    published = 0
    advanced = new Map()
    await scripts.run(declare, TOPIC, { session: 'prodAAAA' })
  }
  beforeEach(() => begin())
  afterEach(async () => {
    expect(violations(await readTopic(place.redis, place.namespace, TOPIC))).to.deep.equal([])
  })

  const put = (...bodies: unknown[]) =>
    scripts.run(publish, TOPIC, {
      session: 'prodAAAA',
      number: ++published,
      lowestUnanswered: published,
      batches: bodies.map((body) => ({ value: encodeBatch([body]) })),
    })
  const enter = (session: string) =>
    scripts.run(open, TOPIC, {
      group: 'g',
      session,
      leaseMs: 60_000,
      concurrency: 2,
      maxCrashes: 3,
      info: '{}',
      deadMax: 100,
      deadKeepMs: 1e9,
    })
  const go = async (session: string, more: Partial<AdvanceRequest> = {}): Promise<Ok> => {
    const number = (advanced.get(session) ?? 0) + 1
    advanced.set(session, number)
    const reply = await scripts.run(advance, TOPIC, {
      group: 'g@1',
      session,
      epoch: 0,
      number,
      want: 10,
      wantBytes: 1 << 20,
      acks: [],
      releases: [],
      settles: [],
      renew: false,
      ...more,
    })
    if (reply.status !== 'ok') throw new Error(`answered ${reply.status}`)
    return reply
  }
  const bodies = (reply: Ok) => reply.ranges.flatMap(({ value }) => decodeBodies(value as Buffer))
  const key = (name: string) => `${place.namespace}:{${TOPIC}}:g@1:${name}`
  /** As many suspects, of a session that went silent. */
  const crash = async (...bodies: unknown[]) => {
    await put(...bodies)
    await enter('gone____~1')
    await go('gone____~1', { want: bodies.length })
    await place.redis.zadd(key('sessions'), 1, 'gone____~1')
  }

  const fetchGuard = (lua: string): GuardLua => ({ name: 'valve', keys: ['x:valve:open'], lua })
  const guarded = (calls: string[]) => ({
    fetchGuardCalls: [{ guard: 0, args: calls }],
    guardKeys: { fetch: [['x:valve:open']], settle: [] },
  })

  it('are held back by a fetch guard as other messages are', async () => {
    const lua = 'return { check = function(f, args) return tonumber(args[1]), 70 end }'
    await begin({ guards: { fetch: [fetchGuard(lua)] } })
    await crash(1)
    await enter('busAAAAA~1')
    const shut = await go('busAAAAA~1', guarded(['0']))
    expect(bodies(shut)).to.deep.equal([])
    expect(shut.dueMs).to.equal(70)
    expect(bodies(await go('busAAAAA~1', guarded(['1'])))).to.deep.equal([1])
  })

  it('that a fetch guard knows to be done leave nobody idle: what is left is told, or waited for', async () => {
    const lua = 'return { skip = function(f, id, args) return true end }'
    await begin({ guards: { fetch: [fetchGuard(lua)] } })
    await crash(1, 2)
    await enter('busAAAAA~1')
    const first = await go('busAAAAA~1', guarded([]))
    expect(bodies(first)).to.deep.equal([])
    expect(first.more).to.equal(true)
    const last = await go('busAAAAA~1', guarded([]))
    expect(last.more).to.equal(false)
    expect(await place.redis.zrange(key('waiting'), '0', '-1')).to.deep.equal(['busAAAAA~1'])
  })

  it('are not kept waiting by a drainer that is closing', async () => {
    for (const id of ['busAAAAA~1', 'busAAAAA~2']) {
      await enter(id)
      await put(id)
      await go(id)
    }
    await crash('bad')
    await go('busAAAAA~1', { renew: true })
    expect(await place.redis.hget(key('state'), 'drainer')).to.equal('busAAAAA~1')
    await scripts.run(close, TOPIC, { group: 'g@1', session: 'busAAAAA~1', running: [{ lease: 1, from: 0, count: 1 }] })
    expect((await go('busAAAAA~2')).drain).to.equal(true)
  })

  it('that another session has taken end the drought of the drainer', async () => {
    for (const id of ['busAAAAA~1', 'busAAAAA~2']) {
      await enter(id)
      await put(id)
      await go(id)
    }
    await crash('bad')
    expect((await go('busAAAAA~1', { renew: true })).drain).to.equal(true)
    expect((await go('busAAAAA~1', { want: 0 })).drain, 'while they are there').to.equal(true)
    const taken = await go('busAAAAA~2', { acks: [{ lease: 1 }] })
    expect(bodies(taken)).to.deep.equal(['bad'])
    expect((await go('busAAAAA~1', { want: 0, renew: true })).drain, 'once they are gone').to.equal(false)
    expect(await place.redis.hget(key('state'), 'drainer')).to.equal(null)
  })
})
