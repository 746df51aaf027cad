/** Listings while things move: whatever stays in its state from the first page to the last is shown exactly once. */
import { type LeasePart, type PeekPlace, type PeekState, peek, type Settle } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { violations } from './invariants.js'
import { type GroupSnapshot, type Range, readTopic, type TopicSnapshot } from './snapshot.js'

const KEY = 2
const PRIORITY = 3
const RUNS = Number(process.env.BUSWAY_MODEL_RUNS ?? 60)

type Step =
  | { do: 'publish'; count: number; key?: string; priority?: number; front?: boolean; delayMs?: number }
  | { do: 'advance'; session: number; want: number; settle: 'ack' | 'part' | 'release' | 'retry' | 'nothing' }
  | { do: 'page'; limit: number }

const published = fc.record({
  do: fc.constant('publish' as const),
  count: fc.integer({ min: 1, max: 5 }),
  key: fc.constantFrom(undefined, undefined, 'a', 'b', 'c', 'd'),
  priority: fc.constantFrom(undefined, undefined, -1, 1, 2),
  front: fc.boolean(),
  delayMs: fc.constantFrom(0, 0, 60_000, 90_000),
}) as fc.Arbitrary<Step>
const advanced: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('advance' as const),
  session: fc.nat(2),
  want: fc.nat(4),
  settle: fc.constantFrom('ack' as const, 'part' as const, 'release' as const, 'retry' as const, 'nothing' as const),
})
const paged: fc.Arbitrary<Step> = fc.record({ do: fc.constant('page' as const), limit: fc.integer({ min: 1, max: 3 }) })

/** A topic in the middle of its work, then pages with work between them. */
const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(published, { minLength: 10, maxLength: 15 }),
    fc.array(advanced, { maxLength: 10 }),
    fc.array(fc.tuple(paged, fc.array(fc.oneof(published, advanced), { maxLength: 3 })), { maxLength: 12 }),
  )
  .map(([before, begun, pages]) => [...before, ...begun, ...pages.flatMap(([page, work]) => [page, ...work])])

/** The messages in that state, each with where it is: what goes and comes back meanwhile has not stayed. */
function inState(topic: TopicSnapshot, state: PeekState): Map<string, string> {
  const group = topic.groups.get('g@1')
  const lined = [...topic.lines.values()].flat()
  const of = (ranges: readonly Range[], where = '') =>
    new Map(
      ranges.flatMap(({ batch, from, count }) =>
        Array.from({ length: count }, (_, i) => from + i)
          .filter((index) => group?.done.get(batch)?.[index] !== '1')
          .map((index): [string, string] => [`${batch}[${index}]`, where]),
      ),
    )
  if (state === 'scheduled') return of(topic.scheduled.map(({ member }) => member.range))
  if (state === 'unclaimed')
    return of([...topic.unclaimed, ...topic.unclaimedPriority.map(({ member }) => member.range), ...lined])
  const { ready, priority, suspects, retry, sessions } = group as GroupSnapshot
  if (state === 'held') return of(lined)
  if (state === 'retrying') return of(retry.map(({ member }) => member.range))
  if (state === 'inFlight')
    return new Map(
      [...sessions].flatMap(([id, { leases }]) =>
        [...leases].flatMap(([number, range]) => [...of([range], `${id} ${number}`)]),
      ),
    )
  return of([...ready, ...suspects, ...priority.map(({ member }) => member.range)])
}

describe('a listing while things move', function () {
  this.timeout(120_000)
  const driven = drivenTopic()
  const { place, enter, go } = driven
  const sessions = ['busAAAAA~1', 'busBBBBB~1', 'busCCCCC~1']

  const publish = ({ count, key, priority, front, delayMs }: Step & { do: 'publish' }) => {
    const properties: [number, string][] = []
    if (key !== undefined) properties.push([KEY, key])
    if (priority !== undefined) properties.push([PRIORITY, String(priority)])
    const bodies = Array.from({ length: priority === undefined ? count : 1 }, (_, i) => i)
    const marks = { ...(front && { front }), ...(delayMs && { delayMs }) }
    return driven.put([{ value: encodeBatch(bodies, { properties }), ...marks }])
  }
  /** The session's oldest lease is settled that way, and more is taken. */
  const advance = async ({ session, want, settle }: Step & { do: 'advance' }) => {
    const id = sessions[session] as string
    const held = (await readTopic(place.redis, place.namespace, TOPIC)).groups.get('g@1')?.sessions.get(id)?.leases
    const [lease, range] = [...(held ?? [])].sort(([a], [b]) => a - b)[0] ?? []
    const request: { acks: LeasePart[]; releases: LeasePart[]; settles: Settle[] } = {
      acks: [],
      releases: [],
      settles: [],
    }
    if (lease !== undefined && range !== undefined) {
      const last = range.from + range.count - 1
      if (settle === 'ack') request.acks.push({ lease })
      if (settle === 'part') request.acks.push({ lease, from: last, count: 1 })
      if (settle === 'release') request.releases.push({ lease, from: last, count: 1 })
      // Of a key a client gives back what it holds behind.
      if (settle === 'retry' && range.key === undefined)
        request.settles.push({ lease, index: last, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' })
    }
    await go(id, { want, ...request })
  }

  const listed = async (state: PeekState, moves: readonly Step[]): Promise<void> => {
    await place.redis.flushdb()
    await driven.begin()
    const hasGroup = state !== 'unclaimed'
    if (hasGroup) for (const session of sessions) await enter(session)
    const now = async () => inState(await readTopic(place.redis, place.namespace, TOPIC), state)
    const shown: string[] = []
    let stayed: Map<string, string> | undefined
    const look = async () => {
      const there = await now()
      stayed = new Map([...(stayed ?? there)].filter(([message, where]) => there.get(message) === where))
      return there
    }
    let from: PeekPlace | undefined
    const page = async (limit: number): Promise<void> => {
      const there = await look()
      const group = state === 'scheduled' || state === 'unclaimed' ? {} : { group: 'g' }
      const reply = await driven.scripts.run(peek, TOPIC, { ...group, state, limit, bytes: 1e6, ...(from && { from }) })
      const found = reply.ranges.flatMap(({ batch, from, count, done }) =>
        Array.from({ length: count }, (_, i) => i)
          .filter((i) => !done.includes(i))
          .map((i) => `${batch}[${from + i}]`),
      )
      expect(found.length).to.be.at.most(limit)
      expect([...there.keys()], 'what is shown is there').to.include.members(found)
      shown.push(...found)
      from = reply.from
    }
    let started = false
    for (const step of moves) {
      if (step.do === 'publish') await publish(step)
      else if (step.do === 'advance') {
        if (hasGroup) await advance(step)
      } else if (!started || from) {
        started = true
        await page(step.limit)
      }
      if (started) await look()
    }
    while (!started || from) {
      started = true
      await page(3)
    }
    const times = new Map<string, number>()
    for (const message of shown) times.set(message, (times.get(message) ?? 0) + 1)
    for (const message of stayed?.keys() ?? [])
      expect(times.get(message), `times that ${message} was shown`).to.equal(1)
    expect(violations(await readTopic(place.redis, place.namespace, TOPIC))).to.deep.equal([])
  }

  for (const state of ['ready', 'held', 'inFlight', 'retrying', 'scheduled', 'unclaimed'] as const) {
    it(`of what is ${state} shows everything that stays exactly once`, () =>
      fc.assert(
        fc.asyncProperty(steps, (moves) => listed(state, moves)),
        { numRuns: RUNS },
      ))
  }
})
