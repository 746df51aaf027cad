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
  type Script,
  type Settle,
} from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { isFull } from '../support/effort.js'
import { privateRedis } from '../support/private-redis.js'
import { encodeBatch } from './batch.js'
import { ScriptDriver } from './script-driver.js'

const TOPIC = 'orders'
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

describe('the plain ways of the hot scripts', function () {
  this.timeout(120_000)
  const place = privateRedis()

  it('answer, tell and keep what the scripts do without them', async () => {
    let plain = 0
    await fc.assert(
      fc.asyncProperty(histories, async ({ groups, takesPushes, limit, steps }) => {
        const [as, without] = await Promise.all([Side.begin(place.redis, true), Side.begin(place.redis, false)])
        const sides = [as, without]
        const both = async <Reply>(run: (side: Side) => Promise<Reply>): Promise<Reply> => {
          const replies = [await run(as), await run(without)] as const
          expect(replies[0]).to.deep.equal(replies[1])
          expect(await as.contents()).to.deep.equal(await without.contents())
          return replies[0]
        }
        let nowMs = 1_800_000_000_000
        const setClock = () => place.redis.mset('clock:s', Math.floor(nowMs / 1000), 'clock:us', (nowMs % 1000) * 1000)
        await setClock()
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
          await setClock()
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
            for (const side of sides)
              for (const [at, lease, size] of await side.pushed()) if (side === as) held[at]?.set(lease, size)
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
        plain += Number((await place.redis.get(`${as.namespace}-plain`)) ?? 0)
        for (const side of sides) await side.end()
      }),
      { numRuns: isFull ? 150 : 50, includeErrorInReport: true },
    )
    expect(plain, 'requests that went the plain way').to.be.greaterThan(150)
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

/** One of the two: its topic, and whom its scripts tell. */
class Side {
  readonly namespace: string
  readonly #redis: Redis
  readonly #driver: ScriptDriver
  readonly #isPlain: boolean
  readonly #listening: Redis
  #heard: string[] = []

  constructor(redis: Redis, listening: Redis, namespace: string, isPlain: boolean) {
    this.namespace = namespace
    this.#redis = redis
    this.#isPlain = isPlain
    this.#driver = new ScriptDriver(redis, namespace, { redisVersion: '7.0.0' })
    this.#listening = listening
    listening.on('message', (_channel, text: string) => this.#heard.push(text))
  }

  static async begin(redis: Redis, isPlain: boolean): Promise<Side> {
    const namespace = `${isPlain ? 'as' : 'without'}${Math.floor(Math.random() * 1e9)}`
    const listening = redis.duplicate()
    const side = new Side(redis, listening, namespace, isPlain)
    await listening.subscribe(side.#driver.key(TOPIC, 'wake:busAAAAA'))
    return side
  }

  run<Request, Reply>(script: Script<Request, Reply>, request: Request): Promise<Reply> {
    return this.#driver.run(script, TOPIC, request, (text) => {
      const at = text.replace(/(?:redis\.)?call\('TIME'\)/g, "redis.call('MGET', 'clock:s', 'clock:us')")
      return this.#isPlain
        ? at.replaceAll(
            /^( *)(return \{ (?:0, now, \{\}, \{\}, 0|now, -1, tonumber\(lease\), 0, taken, \{\}) \})$/gm,
            `$1redis.call('INCR', '${this.namespace}-plain')\n$1$2`,
          )
        : at.replace(/^if (?=ARGV\[5\] == '' and ARGV\[7\]|#ARGV == 10 and)/m, 'if false and ')
    })
  }

  /** What was leased with what it was told since the last look: which session, the lease and how many messages. */
  async pushed(): Promise<[session: number, lease: number, size: number][]> {
    const last = await this.#sync()
    return last.flatMap((text) => {
      const [, to, kind, lease, range = ''] = (text.split('\n')[0] as string).split(' ')
      return kind === 'push'
        ? [[SESSIONS.indexOf(to as string), Number(lease), Number(range.split(',')[1])] as [number, number, number]]
        : []
    })
  }

  async #sync(): Promise<string[]> {
    const done = new Promise<void>((resolve) => {
      this.#listening.on('message', (_channel, text) => text === 'end' && resolve())
    })
    await this.#redis.publish(this.#driver.key(TOPIC, 'wake:busAAAAA'), 'end')
    await done
    this.#listening.removeAllListeners('message')
    const heard = this.#heard.filter((text) => text !== 'end')
    this.#heard = []
    this.#listening.on('message', (_channel, text: string) => this.#heard.push(text))
    return heard
  }

  async contents(): Promise<Record<string, unknown>> {
    const prefix = this.#driver.key(TOPIC, '')
    const keys = (await this.#redis.keys(`${prefix.replace(/[{}]/g, '\\$&')}*`)).sort()
    return Object.fromEntries(
      await Promise.all(keys.map(async (key) => [key.slice(prefix.length), await this.#read(key)])),
    )
  }

  async #read(key: string): Promise<unknown> {
    switch (await this.#redis.type(key)) {
      case 'string':
        return this.#redis.get(key)
      case 'list':
        return this.#redis.lrange(key, 0, -1)
      case 'zset':
        return this.#redis.zrange(key, 0, '-1', 'WITHSCORES')
      case 'hash':
        return this.#redis.hgetall(key)
      default:
        return this.#redis.smembers(key)
    }
  }

  async end(): Promise<void> {
    this.#listening.disconnect()
    const keys = await this.#redis.keys(`${this.namespace}*`)
    if (keys.length > 0) await this.#redis.del(...keys)
  }
}
