/**
 * Administration is bounded: what a call reads does not grow with what is there. Counted in elements that Redis gives to the script, and commands; never in
 * time.
 */
import {
  advance,
  compose,
  consumers,
  deadLetters,
  declare,
  deleteTopic,
  open,
  type PeekState,
  pause,
  peek,
  purge,
  purgeTopic,
  redrive,
  removeGroup,
  type Script,
  stats,
} from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const KEY = 2
const PRIORITY = 3
const LIMIT = 20

/** Answers what the script read instead of its reply: elements of all replies, and calls. */
const counting = (text: string): string => {
  const shebang = /^#![^\n]*\n/.exec(text)?.[0] ?? ''
  return `${shebang}local elements, calls = 0, 0
local function size(reply) if type(reply) ~= 'table' then return 1 end local n = 0 for _, item in ipairs(reply) do n = n + size(item) end return n end
local redis = (function(real) local function counted(name, ...) local reply = real.call(name, ...) calls, elements = calls + 1, elements + size(reply) return reply end
return setmetatable({ call = counted }, { __index = real }) end)(redis)
local function body() ${text.slice(shebang.length)} end
body()
return { elements, calls }`
}

describe('administration', function () {
  this.timeout(60_000)
  const driven = drivenTopic()
  const { place, enter, go } = driven
  let published = 0
  const put = async (count: number, more: { properties?: [number, string][]; delayMs?: number } = {}) => {
    for (let left = count; left > 0; left -= 100) {
      const batches = Array.from({ length: Math.min(100, left) }, () => ({
        value: encodeBatch([++published], { properties: more.properties ?? [] }),
        ...(more.delayMs && { delayMs: more.delayMs }),
      }))
      await driven.put(batches)
    }
  }
  const priority = (n: number): [number, string][] => [[PRIORITY, String(n)]]
  const take = async (session: string, count: number) => {
    const leases: number[] = []
    for (let left = count; left > 0; ) {
      const { ranges } = await go(session, { want: left, wantBytes: 1e9 })
      left -= ranges.length
      leases.push(...ranges.map(({ lease }) => lease))
    }
    return leases
  }
  /** So many in every state, and so many consumers. */
  const fill = async (n: number) => {
    await place.redis.flushdb()
    await driven.begin()
    await put(n)
    await put(n, { properties: priority(1) })
    for (let i = 0; i < n; i += 10) {
      const properties = Array.from({ length: 10 }, (_, j) => [[KEY, `k${i + j}`]] as [number, string][])
      await driven.put(
        properties.flatMap((props) => [1, 2].map(() => ({ value: encodeBatch([1], { properties: props }) }))),
      )
    }
    await put(n, { delayMs: 60_000 })
  }
  const fillGroup = async (n: number) => {
    for (let i = 0; i < n; i++) await enter(`bus${String(i).padStart(5, '0')}~1`)
    const [first = '', ...others] = Array.from({ length: 20 }, (_, i) => `bus${String(i).padStart(5, '0')}~1`)
    const failed = await take(first, n)
    const retry = { index: 0, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' } as const
    await go(first, { want: 0, settles: failed.map((lease) => ({ lease, ...retry })) })
    const died = await take(first, n)
    const dead = { index: 0, outcome: 'dead', reason: 'attempts', error: '{}' } as const
    await go(first, { want: 0, settles: died.map((lease) => ({ lease, ...dead })) })
    for (const session of others) await take(session, 5)
    await put(n)
    await put(n, { properties: priority(-1) })
  }
  const cost = async <Q, A>(script: Script<Q, A>, request: Q): Promise<{ elements: number; calls: number }> => {
    const { text } = compose({ redisVersion: place.server.version }).get(script.name)
    const args = script.args(request).map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : arg))
    const keys = ['meta', 'never'].map((name) => driven.scripts.key(TOPIC, name))
    const [elements, calls] = (await place.redis.call('EVAL', counting(text), 2, ...keys, ...args)) as [number, number]
    return { elements, calls }
  }

  const page = (state: PeekState) => (): Promise<{ elements: number; calls: number }> =>
    cost(peek, {
      ...(state === 'scheduled' || state === 'unclaimed' ? {} : { group: 'g' }),
      ...{ state, limit: LIMIT, bytes: 1e6 },
    })
  /** A page from the middle of what is there. */
  const further = (state: PeekState) => async () => {
    const group = state === 'scheduled' || state === 'unclaimed' ? {} : { group: 'g' }
    const request = { ...group, state, limit: 60, bytes: 1e6 }
    const { from } = await driven.scripts.run(peek, TOPIC, request)
    return cost(peek, { ...request, limit: LIMIT, ...(from && { from }) })
  }
  const few = { group: 'g', limit: LIMIT, producer: 'purgeAAA' }
  const calls: Record<string, () => Promise<{ elements: number; calls: number }>> = {
    stats: () => cost(stats, undefined),
    pause: () => cost(pause, { group: 'g', paused: true }),
    'ready messages': page('ready'),
    'ready messages, further on': further('ready'),
    'held messages': page('held'),
    'held messages, further on': further('held'),
    'messages in flight': page('inFlight'),
    'messages in flight, further on': further('inFlight'),
    'retrying messages': page('retrying'),
    'retrying messages, further on': further('retrying'),
    'scheduled messages': page('scheduled'),
    'dead letters': () => cost(deadLetters, { group: 'g', limit: LIMIT, bytes: 1e6 }),
    consumers: () => cost(consumers, { group: 'g', limit: 10 }),
    redrive: () => cost(redrive, { group: 'g', limit: LIMIT }),
    purge: () => cost(purge, { ...few, what: 'waiting' }),
    'purge of dead letters': () => cost(purge, { ...few, what: 'dead' }),
  }
  const topicCalls: typeof calls = {
    'unclaimed messages': page('unclaimed'),
    'unclaimed, further on': further('unclaimed'),
  }

  const measured = async (n: number) => {
    const found = new Map<string, { elements: number; calls: number }>()
    await fill(n)
    for (const [what, call] of Object.entries(topicCalls)) found.set(what, await call())
    await fillGroup(n)
    for (const [what, call] of Object.entries(calls)) found.set(what, await call())
    return found
  }

  it('reads as much of a large topic as of one ten times as small', async () => {
    const small = await measured(100)
    const large = await measured(1_000)
    for (const [what, { elements, calls }] of large) {
      const before = small.get(what) as { elements: number; calls: number }
      // A place in a sorted set is found by halving it: three or four steps for ten times as many. SSCAN gives ten keys, more or less.
      expect(calls, `commands for ${what}`).to.be.at.most(before.calls + 6)
      expect(elements, `elements for ${what}`).to.be.at.most(before.elements + 20)
    }
    await place.redis.flushdb()
  })

  it('ends what a topic has step by step, whatever its size', async () => {
    for (const n of [100, 1_000]) {
      await fill(n)
      const steps = [
        ...[await cost(purgeTopic, { ...few, what: 'scheduled' }), await cost(purgeTopic, few)],
        ...[await cost(purgeTopic, { ...few, what: 'unclaimed' }), await cost(purgeTopic, few)],
      ]
      await fill(n)
      await fillGroup(n)
      await cost(deleteTopic, { ...few, how: 'force' }) // fences off the sessions, all of them
      steps.push(await cost(deleteTopic, few))
      for (const { elements } of steps) expect(elements).to.be.at.most(800)
    }
    await place.redis.flushdb()
  })

  it('replays, trims and deletes what a topic retains step by step, whatever its size', async () => {
    for (const n of [400, 2_000]) {
      await place.redis.flushdb()
      await driven.begin()
      await driven.scripts.run(declare, TOPIC, { settings: { retain: 'n1000000' } })
      await enter('busAAAAA~1')
      await put(n)
      const opened = { session: 'busBBBBB~1', leaseMs: 60_000, concurrency: 1, maxCrashes: 1, info: '', deadMax: 1 }
      const begin = { ...opened, group: 'b', deadKeepMs: 1, fromBeginning: true }
      expect((await cost(open, begin)).elements).to.be.at.most(100)
      const nothing = { acks: [], releases: [], settles: [], wantBytes: 1e6, epoch: 0 }
      const first = { ...nothing, group: 'b@2', session: 'busBBBBB~1', number: 1, want: 10, renew: false }
      expect((await cost(advance, first)).elements).to.be.at.most(500)
      await driven.scripts.run(declare, TOPIC, { settings: { retain: '' } })
      const renewal = { ...first, number: 2, want: 0, renew: true }
      expect((await cost(advance, renewal)).elements, 'a trim').to.be.at.most(600)
      await driven.scripts.run(declare, TOPIC, { settings: { retain: 'n1000000' } })
      await cost(deleteTopic, { ...few, how: 'force' })
      for (let i = 0; i < 5; i++) expect((await cost(deleteTopic, few)).elements).to.be.at.most(800)
    }
    await place.redis.flushdb()
  })

  it('removes a group step by step, whatever its size', async () => {
    for (const n of [100, 1_000]) {
      await fill(n)
      await fillGroup(n)
      // The first step fences off the sessions, all of them.
      await driven.scripts.run(removeGroup, TOPIC, few)
      const { elements } = await cost(removeGroup, few)
      expect(elements).to.be.at.most(800)
    }
    await place.redis.flushdb()
  })
})
