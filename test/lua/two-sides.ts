/** The same request by the short way of a hot script and without it: whatever they differ in is an error. */
import { randomBytes } from 'node:crypto'
import type { ComposeOptions, Script } from '@busway/lua'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { ScriptDriver } from './script-driver.js'

const TOPIC = 'orders'

/** Which short ways are cut off, by how the line begins that leads into each. */
const SHORT_WAYS = /^( *)if (?=ARGV\[5\] == '' and ARGV\[7\]|#ARGV == 10 and|ARGV\[6\] == '' and not)/gm
const SHORT_ENDS = /^( *)(return \{ (?:0, now, \{\}, \{\}, 0|now, -1, tonumber\(lease\), 0, taken, \{\}) \})$/gm

/** A topic of its own, whose scripts run with their short ways or without them, and whom they tell. */
export class Side {
  readonly namespace: string
  readonly #redis: Redis
  readonly #driver: ScriptDriver
  readonly #isPlain: boolean
  readonly #listening: Redis
  #heard: string[] = []

  private constructor(redis: Redis, listening: Redis, isPlain: boolean, guards: ComposeOptions['guards'] = {}) {
    this.namespace = `t${randomBytes(6).toString('hex')}`
    this.#redis = redis
    this.#isPlain = isPlain
    this.#driver = new ScriptDriver(redis, this.namespace, { redisVersion: '7.0.0', guards })
    this.#listening = listening
    listening.on('message', (_channel, text: string) => this.#heard.push(text))
  }

  static async begin(redis: Redis, isPlain: boolean, guards?: ComposeOptions['guards']): Promise<Side> {
    const listening = redis.duplicate()
    const side = new Side(redis, listening, isPlain, guards)
    await listening.subscribe(side.#driver.key(TOPIC, 'wake:busAAAAA'))
    return side
  }

  /** The moment of everything that runs from now on, on both sides. */
  static async setClock(redis: Redis, ms: number): Promise<void> {
    await redis.mset('clock:s', Math.floor(ms / 1000), 'clock:us', (ms % 1000) * 1000)
  }

  run<Request, Reply>(script: Script<Request, Reply>, request: Request): Promise<Reply> {
    return this.#driver.run(script, TOPIC, request, (text) => {
      const timed = text.replace(/(?:redis\.)?call\('TIME'\)/g, "redis.call('MGET', 'clock:s', 'clock:us')")
      return this.#isPlain
        ? timed.replace(SHORT_ENDS, `$1redis.call('INCR', '${this.namespace}-plain')\n$1$2`)
        : timed.replace(SHORT_WAYS, '$1if false and ')
    })
  }

  /** How many requests went a short way to its end. */
  async plain(): Promise<number> {
    return Number((await this.#redis.get(`${this.namespace}-plain`)) ?? 0)
  }

  /** What was leased with what it was told since the last look: to which session, the lease and how many messages. */
  async pushed(): Promise<[session: string, lease: number, size: number][]> {
    const last = await this.#sync()
    return last.flatMap((text) => {
      const [, to, kind, lease, range = ''] = (text.split('\n')[0] as string).split(' ')
      return kind === 'push'
        ? [[to as string, Number(lease), Number(range.split(',')[1])] as [string, number, number]]
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

/** Runs it on both; answers what both answered. */
export async function onBoth<Reply>(sides: readonly [Side, Side], run: (side: Side) => Promise<Reply>): Promise<Reply> {
  const [one, other] = sides
  const replies = [await run(one), await run(other)] as const
  expect(replies[0]).to.deep.equal(replies[1])
  expect(await one.contents()).to.deep.equal(await other.contents())
  return replies[0]
}
