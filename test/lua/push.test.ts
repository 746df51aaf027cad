/** A message that is leased to a session that waits, and sent along with its wake-up: when, to whom, and what becomes of it. */
import { type FetchedRange, open, readPush, seen, setConcurrency, sync } from '@busway/lua'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { decodeBodies, encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const LINE_FEED = 10
const FIRST = 'busAAAAA~1'
const SECOND = 'busAAAAA~2'
const group = 'g@1'

describe('a message for a session that waits', () => {
  const driven = drivenTopic()
  const { place, enter, go, bodies } = driven
  const key = (name: string) => `${place.namespace}:{${TOPIC}}:${group}:${name}`
  const put = (body: unknown, more = {}) => driven.put([{ value: encodeBatch([body]), ...more }])
  let ears: Redis
  let heard: (string | { session: string; range: FetchedRange })[]

  beforeEach(async () => {
    heard = []
    ears = place.redis.duplicate()
    await ears.subscribe(driven.scripts.key(TOPIC, 'wake:busAAAAA'))
    ears.on('messageBuffer', (_channel: Buffer, payload: Buffer) => {
      const end = payload.indexOf(LINE_FEED)
      const text = payload.toString('utf8', 0, end < 0 ? payload.length : end)
      heard.push(readPush(text, end < 0 ? undefined : payload.subarray(end + 1)) ?? text)
    })
  })
  afterEach(() => ears.disconnect())
  /** All that was sent before has been heard. */
  const pushes = async () => {
    await ears.ping()
    return heard.flatMap((each) =>
      typeof each === 'string'
        ? []
        : [{ session: each.session, lease: each.range.lease, bodies: decodeBodies(each.range.value as Buffer) }],
    )
  }
  /** A session that found nothing, and is told of what comes. */
  const waits = async (session: string, more = {}) => {
    await enter(session, 'g', { takesPushes: true, ...more })
    await go(session)
  }

  it('is leased to it, with its bytes, and settled like any other', async () => {
    await waits(FIRST)
    await put('hello')
    expect(await pushes()).to.deep.equal([{ session: FIRST, lease: 1, bodies: ['hello'] }])
    expect(await place.redis.hgetall(key('state'))).to.include({ inFlight: '1' })
    expect(await place.redis.llen(key('ready'))).to.equal(0)
    const reply = await go(FIRST, { acks: [{ lease: 1 }] })
    expect([bodies(reply), reply.refused]).to.deep.equal([[], []])
    expect(await place.redis.hget(key('state'), 'inFlight')).to.equal('0')
  })

  it('goes to the one that waits longest, then to the next, then waits itself', async () => {
    await waits(FIRST)
    await waits(SECOND)
    for (const body of [1, 2, 3]) await put(body)
    expect(await pushes()).to.deep.equal([
      { session: FIRST, lease: 1, bodies: [1] },
      { session: SECOND, lease: 1, bodies: [2] },
    ])
    const reply = await go(SECOND)
    expect([bodies(reply), reply.lastLease]).to.deep.equal([[3], 2])
  })

  it('is passed on if nobody listens for the first, and waits if nobody does at all', async () => {
    await waits('busGONE_~1')
    await waits(FIRST)
    await put(1)
    expect(await pushes()).to.deep.equal([{ session: FIRST, lease: 1, bodies: [1] }])
    ears.disconnect()
    await go(FIRST, { acks: [{ lease: 1 }] })
    await put(2)
    expect(await place.redis.llen(key('ready'))).to.equal(1)
    expect(bodies(await go(FIRST))).to.deep.equal([2])
  })

  it('was not pushed by a publish that is sent again', async () => {
    await waits(FIRST)
    await put(1)
    driven.published--
    await put(1)
    expect(await pushes()).to.have.length(1)
    expect(bodies(await go(FIRST, { acks: [{ lease: 1 }] }))).to.deep.equal([])
  })

  for (const [what, prepare, publish] of [
    ['has an ordering key', undefined, () => driven.put([{ value: encodeBatch([1], { properties: [[2, 'k']] }) }])],
    ['has a priority', undefined, () => driven.put([{ value: encodeBatch([1], { properties: [[3, '5']] }) }])],
    ['expires', undefined, () => driven.put([{ value: encodeBatch([1], { expiresAtMs: [4e12] }) }])],
    ['is one of two', undefined, () => driven.put([{ value: encodeBatch([1, 2]) }])],
    ['comes with another', undefined, () => driven.put([1, 2].map((body) => ({ value: encodeBatch([body]) })))],
    ['goes to the front', undefined, () => put(1, { front: true })],
    ['is delayed', undefined, () => put(1, { delayMs: 60_000 })],
    ['is larger than 64 KiB', undefined, () => put('x'.repeat(65_536))],
    [
      'is of a group with a limit',
      () => driven.scripts.run(setConcurrency, TOPIC, { group: 'g', limit: 5 }),
      () => put(1),
    ],
    ['is of a group that is paused', () => place.redis.hset(key('state'), 'paused', 1), () => put(1)],
  ] as const) {
    it(`is not pushed if it ${what}`, async () => {
      await waits(FIRST)
      await prepare?.()
      await go(FIRST)
      heard = []
      await publish()
      expect(await pushes()).to.deep.equal([])
    })
  }

  it('is not pushed to one that does not take pushes, nor past it', async () => {
    await waits(FIRST, { takesPushes: false })
    await waits(SECOND)
    await put(1)
    expect(await pushes()).to.deep.equal([])
    expect(heard).to.deep.equal([`${group} ${FIRST}`])
  })

  it('that did not arrive is told by a sync, and no crash is counted', async () => {
    await waits(FIRST)
    await put(1)
    const reply = await driven.scripts.run(sync, TOPIC, { group, session: FIRST, epoch: 1, known: [] })
    expect(reply.status === 'ok' && [reply.lastLease, reply.unknown.map(({ lease }) => lease)]).to.deep.equal([1, [1]])
  })

  describe('of a session that ends', () => {
    /** Its lease is over, and somebody finds that. */
    const silent = async (more: (session: string) => Promise<unknown>) => {
      await waits(FIRST)
      await put(1)
      await more(FIRST)
      await place.redis.zadd(key('sessions'), 1, FIRST)
      return driven.scripts.run(open, TOPIC, {
        ...{ group: 'g', session: SECOND, leaseMs: 60_000, concurrency: 2, maxCrashes: 3, info: '{}' },
        ...{ deadMax: 100, deadKeepMs: 1e9 },
      })
    }

    it('before it has seen it counts no crash, and is redelivered', async () => {
      const { recovered } = await silent(async () => undefined)
      expect(recovered).to.include({ ranges: 1, crashed: 0 })
      const reply = await go(SECOND)
      expect([bodies(reply), reply.ranges[0]?.again]).to.deep.equal([[1], true])
    })

    it('after it has seen it counts a crash', async () => {
      const { recovered } = await silent((session) => driven.scripts.run(seen, TOPIC, { group, session, lease: 1 }))
      expect(recovered).to.include({ ranges: 1, crashed: 1 })
      await go(SECOND)
      await go(SECOND)
    })

    it('after a request of it counts a crash', async () => {
      const { recovered } = await silent((session) => go(session))
      expect(recovered).to.include({ ranges: 1, crashed: 1 })
    })
  })

  it('that is seen leaves what was pushed later unseen, and makes nothing of a session that is gone', async () => {
    await waits(FIRST)
    await put(1)
    await go(FIRST)
    await put(2)
    await driven.scripts.run(seen, TOPIC, { group, session: FIRST, lease: 1 })
    expect(await place.redis.hget(key(`session:${FIRST}`), 'unseen')).to.equal('2')
    await driven.scripts.run(seen, TOPIC, { group, session: FIRST, lease: 2 })
    expect(await place.redis.hget(key(`session:${FIRST}`), 'unseen')).to.equal('')
    await driven.scripts.run(seen, TOPIC, { group, session: 'busAAAAA~9', lease: 2 })
    expect(await place.redis.exists(key('session:busAAAAA~9'))).to.equal(0)
  })
})
