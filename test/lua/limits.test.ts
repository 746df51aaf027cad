/** A limit on what a group has in flight: what counts against it, who is woken when there is room, and who may change it. */
import { close, setConcurrency } from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const A = 'busAAAAA~1'
const B = 'busAAAAA~2'
const C = 'busAAAAA~3'

describe('a limit on what a group has in flight', () => {
  const driven = drivenTopic()
  const { place, enter, go, bodies, wakes } = driven
  const put = (...each: unknown[]) => driven.put(each.map((body) => ({ value: encodeBatch([body]) })))
  const key = (name: string) => driven.scripts.key(TOPIC, `g@1:${name}`)
  const inFlight = async () => Number((await place.redis.hget(key('state'), 'inFlight')) ?? 0)
  const limitOf = async () => (await place.redis.hget(key('state'), 'limit')) ?? undefined
  const set = (limit?: number) =>
    driven.scripts.run(setConcurrency, TOPIC, { group: 'g', ...(limit === undefined ? {} : { limit }) })
  /** Its process is gone and its lease over. */
  const crash = (session: string) => place.redis.zadd(key('sessions'), 1, session)

  it('is reached and not exceeded, whoever asks', async () => {
    await enter(A, 'g', { limit: 3 })
    await enter(B, 'g', { limit: 3 })
    await driven.put([{ value: encodeBatch([1, 2, 3, 4, 5]) }])
    const first = await go(A, { want: 2 })
    expect(bodies(first)).to.deep.equal([1, 2])
    expect(first.limited).to.equal(true)
    expect(bodies(await go(B))).to.deep.equal([3])
    expect(bodies(await go(B))).to.deep.equal([])
    expect(await inFlight()).to.equal(3)
    expect(bodies(await go(B, { acks: [{ lease: 1 }] })), 'in the place of what it settled').to.deep.equal([4])
  })

  it('counts what a session holds that is gone, until that is given to others', async () => {
    await enter(A, 'g', { limit: 2 })
    await enter(B)
    await put(1, 2, 3)
    await go(A, { want: 2 })
    await crash(A)
    expect(bodies(await go(B))).to.deep.equal([])
    expect(bodies(await go(B, { renew: true })), 'a suspect, alone').to.deep.equal([1])
    expect(await inFlight()).to.equal(1)
  })

  it('wakes nobody where there is no room, and one where there is', async () => {
    for (const session of [A, B, C]) await enter(session, 'g', { limit: 1 })
    await put(1)
    for (const session of [A, B, C]) await go(session)
    expect(await wakes(() => put(2, 3))).to.deep.equal([])
    expect(await wakes(() => go(A, { want: 0, acks: [{ lease: 1 }] }))).to.deep.equal([`g@1 ${B}`])
    expect(await wakes(() => go(B, { want: 1 })), 'no room is left').to.deep.equal([])
  })

  it('is made room under by a session that gives back, by one that closes, and by a higher limit', async () => {
    for (const session of [A, B, C]) await enter(session, 'g', { limit: 2 })
    await put(1, 2, 3, 4)
    await go(A, { want: 2 })
    await go(B)
    expect(await wakes(() => go(A, { want: 0, releases: [{ lease: 2 }] }))).to.deep.equal([`g@1 ${B}`])
    await go(B, { want: 5 })
    expect(await inFlight()).to.equal(2)
    expect(
      await wakes(() => driven.scripts.run(close, TOPIC, { group: 'g@1', session: A, running: [] })),
    ).to.deep.equal([`g@1 ${B}`])
    await go(C)
    await go(B)
    expect(await inFlight()).to.equal(2)
    expect(await wakes(() => set(3))).to.have.length(1)
    expect(await wakes(() => set(2)), 'the room is not taken yet').to.deep.equal([])
  })

  for (const who of ['a session that renews', 'a session that opens']) {
    it(`is made room under by a message that dies of its last crash, found by ${who}`, async () => {
      await enter(A, 'g', { limit: 1, maxCrashes: 1 })
      await enter(B)
      await put('deadly', 'next')
      await go(A)
      await go(B)
      await crash(A)
      const found = await wakes(() =>
        who === 'a session that opens' ? enter(C) : enter(C).then(() => go(C, { want: 0, renew: true })),
      )
      expect(found).to.deep.equal([`g@1 ${B}`])
      expect(bodies(await go(B))).to.deep.equal(['next'])
    })
  }

  it('gives the next place to a session that has waited for long, and no more than that', async () => {
    for (const session of [A, B]) await enter(session, 'g', { limit: 2 })
    await put(1, 2, 3, 4, 5, 6)
    await go(A, { want: 3 })
    await go(B)
    const acks = (...leases: number[]) => ({ want: 3, acks: leases.map((lease) => ({ lease })) })
    expect(bodies(await go(A, acks(1))), 'it has not waited for long').to.deep.equal([3])
    await place.redis.zadd(key('waiting'), 1, B)
    let taken: Awaited<ReturnType<typeof go>> | undefined
    const heard = await wakes(async () => {
      taken = await go(A, acks(2, 3))
    })
    expect(heard).to.deep.equal([`g@1 ${B}`])
    expect(bodies(taken as never)).to.deep.equal([4])
    expect(taken?.more, 'what is left is for the other').to.equal(false)
    expect(bodies(await go(B))).to.deep.equal([5])
    expect(await inFlight()).to.equal(2)
  })

  it('is not left unused for a session that is gone', async () => {
    await enter(A, 'g', { limit: 1 })
    await enter('gone____~1')
    await put(1, 2)
    await go(A)
    await go('gone____~1')
    await place.redis.zadd(key('waiting'), 1, 'gone____~1')
    expect(bodies(await go(A, { acks: [{ lease: 1 }] }))).to.deep.equal([2])
  })

  it('holds up a suspect as it does others, and it is taken when there is room', async () => {
    await enter(A, 'g', { limit: 2 })
    await enter(B)
    await put('bad', 'other')
    await go(A, { want: 1 })
    await go(B, { want: 1 })
    await set(1)
    await crash(A)
    await enter(C)
    expect(bodies(await go(C, { renew: true })), 'no room for it').to.deep.equal([])
    expect(await place.redis.zscore(key('waiting'), C), 'it waits to be woken').to.not.equal(null)
    expect(await wakes(() => go(B, { want: 0, acks: [{ lease: 1 }] }))).to.deep.equal([`g@1 ${C}`])
    const taken = await go(C)
    expect(bodies(taken)).to.deep.equal(['bad'])
    expect(taken.solo).to.equal(true)
  })

  it('keeps nobody from holding the timer of what is put off', async () => {
    for (const session of [A, B]) await enter(session, 'g', { limit: 1 })
    await put(1)
    await go(A, { want: 1 })
    await go(B)
    const delayed = { value: encodeBatch(['later']), delayMs: 60_000 }
    expect(await wakes(() => driven.put([delayed]))).to.deep.equal([`g@1 ${B}`])
    expect((await go(B)).dueMs).to.be.within(1, 60_000)
  })

  it('lets no key hold more than one place, so that others can use the rest', async () => {
    await enter(A, 'g', { limit: 3 })
    const keyed = (name: string, ...bodies: unknown[]) => ({ value: encodeBatch(bodies, { properties: [[2, name]] }) })
    await driven.put([keyed('hot', 1, 2, 3, 4), keyed('b', 'b1'), keyed('hot', 5), keyed('c', 'c1', 'c2')])
    const first = await go(A)
    expect(bodies(first)).to.deep.equal([1, 'b1', 'c1'])
    const second = await go(A, { acks: first.ranges.slice(0, 2).map(({ lease }) => ({ lease })) })
    expect(bodies(second)).to.deep.equal([2])
    expect(await inFlight(), 'all that can run').to.equal(2)
    const lifted = await set().then(() => go(A, { acks: [{ lease: second.lastLease }] }))
    expect(bodies(lifted), 'a chain again').to.deep.equal([3, 4, 5])
  })

  describe('comes with an option of those that open', () => {
    it('where the last that comes with another number wins', async () => {
      await enter(A, 'g', { limit: 2 })
      await enter(B, 'g', { limit: 5 })
      expect(await limitOf()).to.equal('5')
      await enter(C)
      expect(await limitOf(), 'who says nothing changes nothing').to.equal('5')
    })

    it('and what was set live stays until then', async () => {
      await enter(A, 'g', { limit: 2 })
      await set(7)
      await enter(B, 'g', { limit: 2 })
      expect(await limitOf()).to.equal('7')
      await set()
      await enter(B, 'g', { limit: 2 })
      expect(await limitOf()).to.equal(undefined)
      await enter(C, 'g', { limit: 3 })
      expect(await limitOf()).to.equal('3')
    })

    it('but of those that open again only if the group knows of none', async () => {
      await enter(A, 'g', { limit: 2, reopened: true })
      expect(await limitOf()).to.equal('2')
      await enter(B, 'g', { limit: 3 })
      await enter(A, 'g', { limit: 2, reopened: true })
      expect(await limitOf(), 'of the new deployment').to.equal('3')
    })
  })

  it('is set for groups that exist', async () => {
    expect(await set(1)).to.deep.equal({ found: false })
    await enter(A)
    expect(await set(1)).to.deep.equal({ found: true })
    expect((await go(A)).limited).to.equal(true)
  })
})
