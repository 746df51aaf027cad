/** Pages of messages: their order, and what a place in a listing is worth when things move. */
import { type PeekPlace, type PeekReply, type PeekState, peek } from '@busway/lua'
import { expect } from 'chai'
import { decodeBodies, encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const KEY = 2
const PRIORITY = 3

describe('a page of messages', () => {
  const driven = drivenTopic()
  const { place, enter, go } = driven
  const page = (state: PeekState, limit: number, from?: PeekPlace, bytes = 1e6): Promise<PeekReply> =>
    driven.scripts.run(peek, TOPIC, {
      ...(state === 'scheduled' || state === 'unclaimed' ? {} : { group: 'g' }),
      ...{ state, limit, bytes },
      ...(from && { from }),
    })
  const shown = ({ ranges }: PeekReply): unknown[] =>
    ranges.flatMap(({ value, done }) => decodeBodies(value as Buffer).filter((_, i) => !done.includes(i)))
  /** Page by page to the end. */
  const all = async (state: PeekState, limit: number, from?: PeekPlace): Promise<unknown[]> => {
    const reply = await page(state, limit, from)
    expect(shown(reply).length).to.be.at.most(limit)
    return reply.from ? [...shown(reply), ...(await all(state, limit, reply.from))] : shown(reply)
  }
  const put = (
    bodies: unknown[],
    more: { priority?: number; key?: string; front?: boolean; delayMs?: number } = {},
  ) => {
    const { priority, key, ...marks } = more
    const properties: [number, string][] = []
    if (key !== undefined) properties.push([KEY, key])
    if (priority !== undefined) properties.push([PRIORITY, String(priority)])
    return driven.put([{ value: encodeBatch(bodies, { properties }), ...marks }])
  }
  const key = (name: string) => `${place.namespace}:{${TOPIC}}:${name}`
  const empty = async () => {
    await place.redis.flushdb()
  }

  it('has as many messages as it may, and a successor only if there is more', async () => {
    await enter('busAAAAA~1')
    await put([1, 2, 3])
    await put([4])
    await put([5, 6])
    const first = await page('ready', 4)
    expect(shown(first)).to.deep.equal([1, 2, 3, 4])
    expect(first.from).to.not.equal(undefined)
    const last = await page('ready', 2, first.from)
    expect(shown(last)).to.deep.equal([5, 6])
    expect(last.from).to.equal(undefined)
    for (const limit of [1, 2, 5, 6, 7]) expect(await all('ready', limit)).to.deep.equal([1, 2, 3, 4, 5, 6])
  })

  it('goes on within a batch of which some was taken, though others were put before it since', async () => {
    await enter('busAAAAA~1')
    await put([1, 2, 3, 4, 5])
    await put([6])
    const first = await page('ready', 3)
    expect(shown(first)).to.deep.equal([1, 2, 3])
    await go('busAAAAA~1', { want: 2 })
    await put(['before'], { front: true })
    expect(await all('ready', 1, first.from)).to.deep.equal([4, 5, 6])
  })

  it('of what is ready is in the order in which it would be taken', async () => {
    await enter('gone____~1')
    await put(['suspect'])
    await go('gone____~1', { want: 1 })
    await place.redis.zadd(key('g@1:sessions'), 1, 'gone____~1')
    await enter('busAAAAA~1')
    for (const [body, priority] of [
      ['low', -5],
      ['second', 1],
      ['first', 7],
      ['plain', 0],
    ] as const)
      await put([body], { priority })
    await put(['front'], { front: true })
    const order = ['suspect', 'first', 'second', 'front', 'plain', 'low']
    for (const limit of [1, 2, 10]) expect(await all('ready', limit)).to.deep.equal(order)
    // As it is.
    const taken: unknown[] = []
    for (let acks: { lease: number }[] = []; taken.length < order.length; ) {
      const reply = await go('busAAAAA~1', { want: 1, acks })
      taken.push(...driven.bodies(reply))
      acks = reply.ranges.map(({ lease }) => ({ lease }))
    }
    expect(taken).to.deep.equal(order)
    await empty()
  })

  it('shows nothing that is finished, and what is known of failures', async () => {
    await enter('busAAAAA~1')
    await put([1, 2, 3, 4, 5])
    const { nowMs, lastLease: lease } = await go('busAAAAA~1')
    const retry = { outcome: 'retry', delayMs: 60_000, counted: true, error: '{"message":"no"}' } as const
    const { nowMs: settledMs } = await go('busAAAAA~1', {
      want: 0,
      acks: [{ lease, from: 1, count: 2 }],
      settles: [{ lease, index: 3, ...retry }],
    })
    const inFlight = await page('inFlight', 10)
    expect(shown(inFlight)).to.deep.equal([1, 5])
    expect(inFlight.ranges[0]).to.include({ from: 0, count: 5, session: 'busAAAAA~1', atMs: nowMs, attempts: 0 })
    expect([...inFlight.infos]).to.deep.equal([['busAAAAA~1', '{}']])
    expect(await all('inFlight', 1)).to.deep.equal([1, 5])
    const retrying = await page('retrying', 10)
    expect(retrying.ranges.map(({ value: _, ...range }) => range)).to.deep.equal([
      {
        ...{ batch: 'prodAAAA-1-0.3', from: 0, count: 1, done: [], attempts: 1, crashes: 0 },
        ...{ error: '{"message":"no"}', atMs: settledMs + 60_000 },
      },
    ])
  })

  it('of what is held goes line by line, each in its order', async () => {
    await enter('busAAAAA~1')
    for (const n of [1, 2, 3]) for (const key of ['a', 'b', 'c,1']) await put([`${key}${n}`, `${key}${n}+`], { key })
    const order = ['a', 'b', 'c,1'].flatMap((key) => [2, 3].flatMap((n) => [`${key}${n}`, `${key}${n}+`]))
    for (const limit of [1, 3, 100]) expect(await all('held', limit)).to.deep.equal(order)
    expect(await all('ready', 2)).to.deep.equal(['a1', 'a1+', 'b1', 'b1+', 'c,11', 'c,11+'])
  })

  it('of what no group has yet is in the order of its heir, or of its due times', async () => {
    for (const n of [1, 2]) await put([`k${n}`], { key: 'k' })
    await put(['low'], { priority: -1 })
    await put(['high'], { priority: 1 })
    await put(['first'], { front: true })
    for (const limit of [1, 10])
      expect(await all('unclaimed', limit)).to.deep.equal(['high', 'first', 'k1', 'low', 'k2'])
    await put(['late', 'late too'], { delayMs: 60_000 })
    await put(['early'], { delayMs: 1_000, front: true })
    for (const limit of [1, 2]) expect(await all('scheduled', limit)).to.deep.equal(['early', 'late', 'late too'])
    const { ranges, nowMs } = await page('scheduled', 1)
    expect(ranges[0]?.atMs).to.be.within(nowMs, nowMs + 1_000)
  })

  it('ends at so many bytes, but shows one message however large', async () => {
    await enter('busAAAAA~1')
    for (const size of [10, 5_000, 5_000, 10]) await put(['x'.repeat(size)])
    const sizes = async (from?: PeekPlace): Promise<number[][]> => {
      const reply = await page('ready', 10, from, 3_000)
      const lengths = shown(reply).map((body) => String(body).length)
      return reply.from ? [lengths, ...(await sizes(reply.from))] : [lengths]
    }
    expect(await sizes()).to.deep.equal([[10], [5_000], [5_000], [10]])
  })

  describe('in a long list', () => {
    const range = (n: number) => `0,1,1,lost-${n}-0`
    const fill = (count: number) =>
      place.redis.rpush(key('g@1:ready'), ...Array.from({ length: count }, (_, i) => range(i)))
    const at = (n: number): PeekPlace => ['list', String(n), range(n), '0']
    const found = async (from: PeekPlace): Promise<{ first: string | undefined; calls: number }> => {
      let reply = await page('ready', 1, from)
      let calls = 1
      for (; reply.ranges.length === 0 && reply.from; calls++) reply = await page('ready', 1, reply.from)
      return { first: reply.ranges[0]?.batch, calls }
    }
    beforeEach(async () => {
      await enter('busAAAAA~1')
      await fill(100_000)
    })
    afterEach(empty)

    it('a place is found at once where it was, and in a few steps where it went', async () => {
      expect(await found(at(90_000))).to.deep.equal({ first: 'lost-90000-0', calls: 1 })
      await place.redis.ltrim(key('g@1:ready'), 30_000, -1)
      expect(await found(at(90_000))).to.deep.equal({ first: 'lost-90000-0', calls: 2 })
      await place.redis.lpush(key('g@1:ready'), ...Array.from({ length: 4_000 }, (_, i) => `~0,1,1,back-${i}-0`))
      expect(await found(at(40_000))).to.deep.equal({ first: 'lost-40000-0', calls: 1 })
    })

    it('a place that is gone is followed by what is left', async () => {
      await place.redis.ltrim(key('g@1:ready'), 70_000, -1)
      expect(await found(at(60_000))).to.deep.equal({ first: 'lost-70000-0', calls: 1 })
    })

    it('no place makes it search for ever', async () => {
      const nowhere: PeekPlace = ['list', '999999999999999', 'no range', '7']
      expect((await found(nowhere)).calls).to.be.at.most(12)
    })
  })
})
