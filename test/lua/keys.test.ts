/**
 * Ordering keys, in scripts used at random. The model is one list for each key: the messages of it that have not ended, in the order in which they are to be
 * handled. Whatever fails, crashes, is given back or redriven, what is out of a line is the head of that list, and in one place.
 */
import { createHash } from 'node:crypto'
import {
  type AdvanceReply,
  advance,
  type BatchToPublish,
  cancel,
  declare,
  type GroupRef,
  type LeasePart,
  message,
  open,
  publish,
  redrive,
  type Settle,
  setConcurrency,
  update,
} from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeBatch, rewriteMessage } from '../../packages/bus/src/wire/index.js'
import { namespaceIsClean, privateRedis } from '../support/private-redis.js'
import { decodeBodies, encodeBatch } from './batch.js'
import { violations } from './invariants.js'
import { resolve } from './marks.js'
import { ScriptDriver } from './script-driver.js'
import { type GroupSnapshot, keyAt, type Range, readTopic } from './snapshot.js'

const TOPIC = 'orders'
const LEASE_MS = 600_000
const KEYS = ['a', 'b,1', 'ö!', 'c\nd'] as const
type Key = (typeof KEYS)[number]

interface Held {
  readonly n: number
  readonly lease: number
  readonly index: number
}
interface Session {
  readonly id: string
  applied: number
  held: Map<Key, Held[]>
}

class Topic {
  readonly expected = new Map<Key, number[]>(KEYS.map((key) => [key, []]))
  readonly dead = new Map<number, Key>()
  readonly sessions: Session[] = []
  group = '' as GroupRef
  limit: number | undefined
  #published = 0
  #messages = 0
  #sessions = 0
  #cancels = 0
  readonly #keyOf = new Map<number, Key>()
  readonly #idOf = new Map<number, string>()
  readonly #scripts: ScriptDriver
  readonly #place: ReturnType<typeof privateRedis>
  readonly #namespace: string

  constructor(place: ReturnType<typeof privateRedis>, namespace: string) {
    this.#place = place
    this.#namespace = namespace
    this.#scripts = new ScriptDriver(place.redis, namespace, { redisVersion: place.server.version })
  }

  snapshot = () => readTopic(this.#place.redis, this.#namespace, TOPIC)
  keyName = (name: string) => this.#scripts.key(TOPIC, name)
  keyOf = (n: number): Key => this.#keyOf.get(n) as Key

  async begin(): Promise<void> {
    await this.#scripts.run(declare, TOPIC, { session: 'prodAAAA' })
  }

  /** How many of a key are out of its line: what joins the head comes behind them. What is nothing any more is none of them. */
  async out(key: Key): Promise<number> {
    const topic = await this.snapshot()
    const group = topic.groups.get(this.group)
    const listed = group
      ? [...group.ready, ...group.suspects, ...group.priority.map(({ member }) => member.range)]
      : [...topic.unclaimed, ...topic.unclaimedPriority.map(({ member }) => member.range)]
    const retried = group?.retry.flatMap(({ member }) => (member.joins ? [] : [member.range])) ?? []
    const isOpen = (range: Range) => (_: unknown, i: number) => group?.done.get(range.batch)?.[range.from + i] !== '1'
    const count = (ranges: readonly Range[], of: (range: Range) => number) =>
      ranges.reduce((sum, range) => sum + (range.key === key ? of(range) : 0), 0)
    const marks = group?.marks ?? topic.unclaimedMarks
    const open = (range: Range) => Array.from({ length: range.count }, isOpen(range))
    const several = leased(group).flatMap((range) =>
      range.listed ? open(range).filter((isOpen, i) => isOpen && keyAt(range, range.from + i) === key) : [],
    )
    return (
      count(listed, (range) => resolve(marks, range).filter(({ kind }) => kind !== 'stale').length) +
      count([...retried, ...leased(group)], (range) => open(range).filter(Boolean).length) +
      several.length
    )
  }

  async publish(key: Key, size: number, priority: number, how: 'back' | 'front'): Promise<void> {
    const messages = Array.from({ length: size }, () => ++this.#messages)
    const out = await this.out(key)
    const properties = [[2, key] as const, ...(priority === 0 ? [] : [[3, String(priority)] as const])]
    const batch: BatchToPublish = { value: encodeBatch(messages, { properties }), front: how === 'front' }
    const number = ++this.#published
    for (const [i, n] of messages.entries()) {
      this.#keyOf.set(n, key)
      this.#idOf.set(n, `prodAAAA-${number}-0.${i}`)
    }
    const reply = await this.#scripts.run(publish, TOPIC, {
      ...{ session: 'prodAAAA', number, lowestUnanswered: number },
      batches: [batch],
    })
    expect(reply.status).to.equal('ok')
    const list = this.expected.get(key) as number[]
    if (how === 'front') list.splice(out, 0, ...messages)
    else list.push(...messages)
  }

  /** One batch whose messages have keys of their own. */
  async publishSeveral(keys: readonly Key[]): Promise<void> {
    const messages = keys.map(() => ++this.#messages)
    const number = ++this.#published
    for (const [i, n] of messages.entries()) {
      this.#keyOf.set(n, keys[i] as Key)
      this.#idOf.set(n, `prodAAAA-${number}-0.${i}`)
    }
    const value = encodeBatch(messages, { properties: [[8, keys.join('\n')]] })
    const request = { session: 'prodAAAA', number, lowestUnanswered: number, batches: [{ value }] }
    expect((await this.#scripts.run(publish, TOPIC, request)).status).to.equal('ok')
    for (const [i, n] of messages.entries()) this.expected.get(keys[i] as Key)?.push(n)
  }

  async open(concurrency: number): Promise<void> {
    const id = `busAAAAA~${++this.#sessions}`
    const settings = { leaseMs: LEASE_MS, concurrency, maxCrashes: 2, info: '{}', deadMax: 1000, deadKeepMs: LEASE_MS }
    const reply = await this.#scripts.run(open, TOPIC, { group: 'g', session: id, ...settings })
    this.group = reply.group
    this.sessions.push({ id, applied: 0, held: new Map() })
    await this.learnDeaths()
  }

  /** Who was convicted of too many crashes has died without us. */
  async learnDeaths(): Promise<void> {
    const topic = await this.snapshot()
    for (const { member } of topic.groups.get(this.group)?.dead ?? []) {
      const [n] = decodeBodies(topic.batches.get(member) as Buffer) as [number]
      if (!this.dead.has(n)) this.die(n)
    }
  }

  die(n: number): void {
    const key = this.keyOf(n)
    this.dead.set(n, key)
    this.end(n, key)
  }

  end(n: number, key: Key): void {
    const list = this.expected.get(key) as number[]
    list.splice(list.indexOf(n), 1)
  }

  /** For each key of the session something may be done with the first of what it holds, as a client would. */
  async advance(session: Session, want: number, choices: readonly { action: number; size: number }[]): Promise<number> {
    const acks: LeasePart[] = []
    const releases: LeasePart[] = []
    const settles: Settle[] = []
    const part = ({ lease, index }: Held): LeasePart => ({ lease, from: index, count: 1 })
    const apply: (() => void)[] = []
    for (const [i, key] of KEYS.entries()) {
      const held = session.held.get(key) ?? []
      const { action, size } = choices[i] ?? { action: 9, size: 0 }
      const [first, ...rest] = held
      if (first === undefined) continue
      if (action <= 2) {
        const done = held.splice(0, 1 + size)
        acks.push(...done.map(part))
        apply.push(() => {
          for (const { n } of done) this.end(n, key)
        })
      } else if (action === 3) {
        const later = { outcome: 'retry', delayMs: 0, counted: true, error: '{}' } as const
        settles.push({ lease: first.lease, index: first.index, ...later })
        releases.push(...rest.map(part))
        held.splice(0)
      } else if (action === 4) {
        settles.push({ lease: first.lease, index: first.index, outcome: 'dead', reason: 'attempts', error: '{}' })
        held.shift()
        apply.push(() => this.die(first.n))
      } else if (action === 5) releases.push(...held.splice(Math.min(size, held.length - 1)).map(part))
    }
    const before = (await this.snapshot()).groups.get(this.group)
    const request = { group: this.group, session: session.id, epoch: 0, number: ++session.applied }
    const more = { want, wantBytes: 1 << 20, acks, releases, settles, renew: true }
    const reply = await this.#scripts.run(advance, TOPIC, { ...request, ...more })
    if (reply.status === 'lost') {
      this.sessions.splice(this.sessions.indexOf(session), 1)
      return 0
    }
    if (reply.status !== 'ok') throw new Error(`an advance in its turn was answered ${reply.status}`)
    expect(reply.refused).to.deep.equal([])
    await this.checkLimit(before, want, reply)
    for (const each of apply) each()
    await this.learnDeaths()
    let fetched = 0
    for (const range of reply.ranges) {
      for (const [position, n] of (decodeBodies(range.value as Buffer) as number[]).entries()) {
        if (range.skip?.includes(position)) continue
        const key = (range.keys?.[position] ?? range.key) as Key
        expect(key, `the key of ${n}`).to.equal(this.keyOf(n))
        const held = session.held.get(key) ?? []
        session.held.set(key, held)
        held.push({ n, lease: range.lease, index: range.from + position })
        fetched++
      }
    }
    for (const [key, held] of session.held)
      expect(
        held.map(({ n }) => n),
        `what is held of ${key}`,
      ).to.deep.equal(this.expected.get(key)?.slice(0, held.length))
    // What is nothing any more was taken: there may be more behind it.
    return fetched + (reply.gone ? 1 : 0)
  }

  async setLimit(limit: number | undefined): Promise<void> {
    if (this.group === '') return
    await this.#scripts.run(setConcurrency, TOPIC, { group: 'g', ...(limit === undefined ? {} : { limit }) })
    this.limit = limit
  }

  /** Under a limit each key has one place at a time, and keys that have none leave no place unused. */
  async checkLimit(
    before: GroupSnapshot | undefined,
    want: number,
    reply: AdvanceReply & { status: 'ok' },
  ): Promise<void> {
    if (this.limit === undefined) return
    const group = (await this.snapshot()).groups.get(this.group)
    const inFlight = Number(group?.state.get('inFlight') ?? 0)
    expect(inFlight, 'in flight').to.be.at.most(Math.max(this.limit, Number(before?.state.get('inFlight') ?? 0)))
    for (const { count, keys } of reply.ranges) expect(new Set(keys).size || 1, 'of one key at a time').to.equal(count)
    const isHeldBack = reply.drain || reply.solo || (group?.suspects.length ?? 0) > 0
    // What is nothing any more was taken in its place.
    if ((before?.marks.size ?? 0) > 0 && (reply.gone || reply.more)) return
    const taken = reply.ranges.reduce((sum, { count }) => sum + count, 0)
    if (isHeldBack || taken >= want || inFlight >= this.limit) return
    // Of what is unsorted it may have found that others are to be asked for.
    if (Number(before?.state.get('unsorted') ?? 0) > 0 && reply.more) return
    expect(Number(group?.state.get('ready') ?? 0), 'ready while there is room').to.equal(0)
  }

  /** The session's process is gone, and its lease over. */
  async crash(session: Session): Promise<void> {
    this.sessions.splice(this.sessions.indexOf(session), 1)
    await this.#place.redis.zadd(this.keyName(`${this.group}:sessions`), 'XX', 1, session.id)
  }

  /** The message goes from wherever it waits; what somebody holds, and what is dead, stays. */
  async cancel(which: number): Promise<void> {
    const n = this.#messages - (which % Math.max(1, this.#messages))
    const key = this.#keyOf.get(n)
    if (key === undefined) return
    const topic = await this.snapshot()
    const group = topic.groups.get(this.group)
    const isHeld = leased(group).some(({ batch, from, count }) => {
      const bodies = decodeBodies(topic.batches.get(batch) as Buffer)
      const done = group?.done.get(batch)
      return bodies.some((body, i) => body === n && i >= from && i < from + count && done?.[i] !== '1')
    })
    const waits = this.expected.get(key)?.includes(n) === true && !isHeld
    const request = { id: this.#idOf.get(n) as string, token: `cancel-${++this.#cancels}`, tell: false }
    const { ended } = await this.#scripts.run(cancel, TOPIC, request)
    expect(ended, `cancel of ${n}`).to.equal(waits ? 1 : 0)
    if (waits) this.end(n, key)
  }

  /** Its bytes are others, and its place is the same. */
  async rewrite(which: number): Promise<void> {
    const n = this.#messages - (which % Math.max(1, this.#messages))
    const id = this.#idOf.get(n)
    const known = id === undefined ? undefined : await this.#scripts.run(message, TOPIC, { id })
    if (id === undefined || known?.value == null) return
    const replacing = createHash('sha1').update(known.value).digest('hex')
    const body = { body: `${n} `, bodyBytes: `${n} `.length, contentType: undefined, headers: undefined }
    const value = rewriteMessage(decodeBatch(known.value), { body })
    const request = { id, token: `update-${++this.#cancels}`, bytes: { value, replacing, prioritized: false } }
    expect((await this.#scripts.run(update, TOPIC, request)).status).to.equal('ok')
  }

  async redrive(): Promise<void> {
    const ids = await this.#place.redis.zrange(this.keyName(`${this.group}:dead`), '0', '-1')
    const topic = await this.snapshot()
    const back = ids.map((id) => (decodeBodies(topic.batches.get(id) as Buffer) as [number])[0])
    for (const key of KEYS) {
      const ofKey = back.filter((n) => this.keyOf(n) === key)
      this.expected.get(key)?.splice(await this.out(key), 0, ...ofKey)
    }
    for (const n of back) this.dead.delete(n)
    await this.#scripts.run(redrive, TOPIC, { group: 'g', untilMs: Number.MAX_SAFE_INTEGER, limit: 1000 })
  }

  async check(): Promise<void> {
    expect(violations(await this.snapshot())).to.deep.equal([])
  }
}

const leased = (group: GroupSnapshot | undefined): Range[] =>
  [...(group?.sessions.values() ?? [])].flatMap(({ leases }) => [...leases.values()])

type Step =
  | { readonly kind: 'publish'; key: Key; size: number; priority: number; how: 'back' | 'front' }
  | { readonly kind: 'several'; keys: Key[] }
  | { readonly kind: 'open'; concurrency: number }
  | { readonly kind: 'advance'; session: number; want: number; choices: { action: number; size: number }[] }
  | { readonly kind: 'crash'; session: number }
  | { readonly kind: 'redrive' }
  | { readonly kind: 'limit'; limit: number | undefined }
  | { readonly kind: 'cancel'; which: number }
  | { readonly kind: 'rewrite'; which: number }

const kind = <K extends Step['kind']>(name: K) => fc.constant(name)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: kind('publish'),
      key: fc.constantFrom(...KEYS),
      size: fc.integer({ min: 1, max: 5 }),
      priority: fc.constantFrom(0, 0, 2, -1),
      how: fc.constantFrom('back' as const, 'back' as const, 'back' as const, 'front' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('several'),
      keys: fc.array(fc.constantFrom(...KEYS.filter((key) => !key.includes('\n'))), { minLength: 2, maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('open'), concurrency: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: kind('advance'),
      session: fc.nat(3),
      want: fc.nat(8),
      choices: fc.array(fc.record({ action: fc.nat(7), size: fc.nat(3) }), { minLength: 4, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('crash'), session: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('redrive') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind('limit'),
      limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('cancel'), which: fc.nat(15) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('rewrite'), which: fc.nat(15) }) },
)

describe('ordering keys, in scripts used at random', function () {
  this.timeout(120_000)
  const place = privateRedis()

  it('keep the order of each key, in one place at a time, and leave nothing behind', async () => {
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50, size: 'max' }), async (steps) => {
        const namespace = `${place.namespace}-${++runs}`
        const topic = new Topic(place, namespace)
        await topic.begin()
        const pick = (i: number) => topic.sessions[i % topic.sessions.length]
        for (const each of steps) {
          if (each.kind === 'publish') await topic.publish(each.key, each.size, each.priority, each.how)
          else if (each.kind === 'several') await topic.publishSeveral(each.keys)
          else if (each.kind === 'open') await topic.open(each.concurrency)
          else if (each.kind === 'redrive') await topic.redrive()
          else if (each.kind === 'limit') await topic.setLimit(each.limit)
          else if (each.kind === 'cancel') await topic.cancel(each.which)
          else if (each.kind === 'rewrite') await topic.rewrite(each.which)
          else {
            const session = pick(each.session)
            if (session === undefined) continue
            if (each.kind === 'crash') await topic.crash(session)
            else await topic.advance(session, each.want, each.choices)
          }
          await topic.check()
        }
        // All of it comes out in the end.
        for (const session of [...topic.sessions]) await topic.crash(session)
        await topic.open(1)
        const [last] = topic.sessions as [Session]
        for (let idle = 0; idle < 3; ) {
          await topic.redrive()
          const all = KEYS.map(() => ({ action: 0, size: 1000 }))
          idle = (await topic.advance(last, 100, all)) === 0 ? idle + 1 : 0
          await topic.check()
        }
        expect([...topic.expected.values()].flat()).to.deep.equal([])
        await namespaceIsClean(place.redis, namespace)
      }),
      { numRuns: Number(process.env.BUSWAY_MODEL_RUNS ?? 60), includeErrorInReport: true },
    )
  })
})
