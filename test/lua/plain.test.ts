/**
 * The ways that come first in the hot scripts, for requests that ask for little, say some of the same again in fewer words. Here each request runs with them and
 * without them, on topics of their own at the same moments: what is answered, told and kept is to be equal to the byte.
 */
import {
  type AdvanceReply,
  advance,
  type BatchToPublish,
  declare,
  type LeasePart,
  open,
  publish,
  type Settle,
} from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { isFull } from '../support/effort.js'
import { privateRedis } from '../support/private-redis.js'
import { encodeBatch } from './batch.js'
import { onBoth, Side } from './two-sides.js'

const SESSIONS = ['busAAAAA~1', 'busAAAAA~2', 'busBBBBB~1']

interface Put {
  readonly kind: 'put'
  readonly sizes: readonly number[]
  readonly more: Partial<BatchToPublish> & {
    readonly key?: string
    readonly priority?: number
    readonly expires?: boolean
  }
}
interface Go {
  readonly kind: 'go'
  readonly session: number
  readonly want: number
  readonly wantBytes: number
  /** Of what the session holds. */
  readonly ends: 'all' | 'first' | 'part' | 'none'
  readonly how: 'ack' | 'release' | 'retry'
  readonly renew: boolean
}
interface Wait {
  readonly kind: 'wait'
  readonly ms: number
}

const mostly = <T>(usual: fc.Arbitrary<T>, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 2, arbitrary: fc.constantFrom(...others) })

const put: fc.Arbitrary<Put> = fc.record({
  kind: fc.constant('put' as const),
  sizes: mostly<number[]>(fc.constantFrom([1], [1], [1, 1], [3]), [2, 1, 4], [1, 1, 1], [4, 4, 4]),
  more: fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Put['more']>(
        { key: 'k' },
        { priority: 3 },
        { delayMs: 40 },
        { front: true },
        { expires: true },
        { expires: true },
      ),
    },
  ),
})
const go: fc.Arbitrary<Go> = fc.record({
  kind: fc.constant('go' as const),
  session: fc.constantFrom(0, 0, 0, 1, 2),
  want: mostly<number>(fc.constantFrom(1, 2, 3, 12), 0),
  wantBytes: mostly<number>(fc.constant(1 << 20), 60),
  ends: mostly<Go['ends']>(fc.constant('all'), 'first', 'part', 'none'),
  how: mostly<Go['how']>(fc.constantFrom('ack', 'ack', 'ack', 'retry'), 'release'),
  renew: mostly<boolean>(fc.constant(false), true),
})
const wait: fc.Arbitrary<Wait> = fc.record({
  kind: fc.constant('wait' as const),
  ms: mostly<number>(fc.constantFrom(1, 30, 700), 4_000, 7_000, 7_000),
})
const histories = fc.record({
  groups: mostly<string[]>(fc.constant(['g']), ['g', 'h']),
  takesPushes: fc.boolean(),
  limit: mostly<number | undefined>(fc.constant(undefined), 3),
  steps: fc.array(
    fc.oneof({ weight: 5, arbitrary: put }, { weight: 6, arbitrary: go }, { weight: 2, arbitrary: wait }),
    {
      minLength: 1,
      maxLength: 60,
      size: 'max',
    },
  ),
})

const call = fc.record({
  message: fc.nat({ max: 6 }),
  guard: fc.constantFrom(0, 1),
  will: fc.oneof(
    { weight: 6, arbitrary: fc.constant('once') },
    {
      weight: 3,
      arbitrary: fc.constantFrom('reject', 'defer', 'replace', 'debounce', 'not check', 'not apply', 'note'),
    },
  ),
  key: fc.constantFrom('a', 'b', 'c'),
})
const request = fc.record({
  batches: fc.array(
    fc.record({ size: fc.constantFrom(1, 1, 2, 4), id: fc.constantFrom(undefined, undefined, 'own') }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  calls: fc.array(call, { maxLength: 6 }),
})

/** A guard that does what its arguments say. */
const wilful = (name: string) => ({
  name,
  keys: [`x:${name}:`],
  lua: `
    return {
      check = function(m, args, shared)
        local will, key = args[1], m.keys[1] .. args[2]
        local known = shared[key] or redis.call('GET', key)
        shared[key] = m.id
        if will == 'reject' then return reject('it will', 5) end
        if will == 'defer' then return defer(50) end
        if will == 'not check' then error('it will not check', 0) end
        if will == 'once' and known then return duplicate(known) end
        if will == 'replace' and known then return replace(known) end
        if will == 'debounce' then
          if known then return replace(known), defer(50) end
          return defer(50)
        end
        return pass()
      end,
      apply = function(m, args)
        if args[1] == 'not apply' then error('it will not apply', 0) end
        redis.call('SET', m.keys[1] .. args[2], m.id)
        redis.call('RPUSH', m.keys[1] .. 'applied', m.id .. ' ' .. tostring(m.key) .. ' ' .. m.index .. ' ' .. m.topic .. ' ' .. m.now)
      end,
    }`,
})

describe('the plain ways of the hot scripts', function () {
  this.timeout(120_000)
  const place = privateRedis()

  it('answer, tell and keep what the scripts do without them', async () => {
    let plain = 0
    await fc.assert(
      fc.asyncProperty(histories, async ({ groups, takesPushes, limit, steps }) => {
        const sides = [await Side.begin(place.redis, true), await Side.begin(place.redis, false)] as const
        const both = <Reply>(run: (side: Side) => Promise<Reply>) => onBoth([...sides], run)
        let nowMs = 1_800_000_000_000
        await Side.setClock(place.redis, nowMs)
        await both((side) => side.run(declare, { session: 'prodAAAA' }))
        const groupOf = (session: number) => session % groups.length
        const enter = (session: number) =>
          both((side) =>
            side.run(open, {
              group: groups[groupOf(session)] as string,
              session: SESSIONS[session] as string,
              leaseMs: 6_000,
              concurrency: 2,
              maxCrashes: 3,
              info: '{}',
              deadMax: 100,
              deadKeepMs: 1e9,
              takesPushes,
              ...(limit === undefined ? {} : { limit }),
            }),
          )
        for (const session of SESSIONS.keys()) await enter(session)
        const held = SESSIONS.map(() => new Map<number, number>())
        const numbers = SESSIONS.map(() => 0)
        let published = 0
        for (const step of steps) {
          await Side.setClock(place.redis, nowMs)
          if (step.kind === 'wait') nowMs += step.ms
          else if (step.kind === 'put') {
            const number = ++published
            await both((side) =>
              side.run(publish, {
                session: 'prodAAAA',
                number,
                lowestUnanswered: number,
                batches: batchesOf(step, nowMs),
              }),
            )
            const [pushed, likewise] = [await sides[0].pushed(), await sides[1].pushed()]
            expect(pushed).to.deep.equal(likewise)
            for (const [to, lease, size] of pushed) held[SESSIONS.indexOf(to)]?.set(lease, size)
          } else {
            const { session, want, wantBytes, renew, ends, how } = step
            const mine = held[session] as Map<number, number>
            const some = ends === 'none' ? [] : [...mine].slice(0, ends === 'all' ? undefined : 1)
            const named = how === 'retry' ? some.filter(([, size]) => size === 1) : some
            const parts = named.map(([lease, size]): LeasePart => {
              if (ends === 'part' && size > 1 && how !== 'release') return { lease, from: 0, count: 1 }
              mine.delete(lease)
              return { lease }
            })
            const reply: AdvanceReply = await both((side) =>
              side.run(advance, {
                group: `${groups[groupOf(session)]}@${1 + groupOf(session)}` as never,
                session: SESSIONS[session] as string,
                epoch: 0,
                number: (numbers[session] as number) + 1,
                want,
                wantBytes,
                acks: how === 'ack' ? parts : [],
                releases: how === 'release' ? parts : [],
                settles: how === 'retry' ? parts.map(retry) : [],
                renew,
              }),
            )
            if (reply.status === 'ok') {
              numbers[session] = (numbers[session] as number) + 1
              for (const { lease, count } of reply.ranges) mine.set(lease, count)
            } else {
              mine.clear()
              numbers[session] = 0
              await enter(session)
            }
          }
        }
        plain += await sides[0].plain()
        for (const side of sides) await side.end()
      }),
      { numRuns: isFull ? 100 : 30, includeErrorInReport: true },
    )
    expect(plain, 'requests that went the plain way').to.be.greaterThan(150)
  })

  it('admit what guards let pass, and refuse, put off and replace the rest', async () => {
    const outcomes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (requests) => {
        const guards = { publish: [wilful('first'), wilful('second')] }
        const sides = [
          await Side.begin(place.redis, true, guards),
          await Side.begin(place.redis, false, guards),
        ] as const
        await Side.setClock(place.redis, 1_800_000_000_000)
        const both = <Reply>(run: (side: Side) => Promise<Reply>) => onBoth([...sides], run)
        await both((side) => side.run(declare, { session: 'prodAAAA' }))
        for (const [i, { batches, calls }] of requests.entries()) {
          const messages = batches.flatMap(({ size }) => Array.from({ length: size }, () => 0)).length
          const reply = await both((side) =>
            side.run(publish, {
              session: 'prodAAAA',
              number: i + 1,
              lowestUnanswered: i + 1,
              batches: batches.map(({ size, id }) => ({
                value: encodeBatch(Array.from({ length: size }, (_, n) => n)),
                ...(id === undefined || size > 1 ? {} : { id }),
              })),
              guardCalls: calls
                .filter(({ message }) => message < messages)
                .sort((a, b) => a.message - b.message)
                .map(({ message, guard, will, key }) => ({ message, guard, args: [will, key] })),
              guardKeys: [['x:first:'], ['x:second:']],
            }),
          )
          if (reply.status !== 'ok') throw new Error(reply.status)
          for (const { verdict } of reply.outcomes) outcomes.add(verdict)
          for (const { error } of reply.guardErrors) outcomes.add(error)
        }
        for (const side of sides) await side.end()
      }),
      { numRuns: isFull ? 200 : 60, includeErrorInReport: true },
    )
    expect([...outcomes].sort()).to.deep.equal(['duplicate', 'it will not apply', 'it will not check', 'reject'])
  })
})

const retry = ({ lease }: LeasePart): Settle => ({
  lease,
  index: 0,
  outcome: 'retry',
  delayMs: 20,
  counted: true,
  error: '{}',
})

function batchesOf({ sizes, more: { key, priority, expires, ...more } }: Put, nowMs: number): BatchToPublish[] {
  return sizes.map((size) => {
    const messages = Object.keys(more).length > 0 || priority !== undefined ? 1 : size
    const properties: [number, string][] = []
    if (key !== undefined) properties.push([2, key])
    if (priority !== undefined) properties.push([3, String(priority)])
    const bodies = Array.from({ length: messages }, (_, i) => i)
    const expiries = expires ? { expiresAtMs: bodies.map(() => nowMs + 20) } : {}
    return { value: encodeBatch(bodies, { properties, ...expiries }), ...more }
  })
}
