/** A message asked for by its id, and what the scripts keep so that they can tell. What the model of model.test.ts does not reach: parts of batches, many sessions. */
import { type GuardLua, message } from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

describe('a message asked for by its id', () => {
  const driven = drivenTopic()
  const { place, begin, put, enter, go, bodies } = driven
  /** Where each group has it, over all pages. */
  const places = async (id: string): Promise<{ states: string[]; pages: number } | undefined> => {
    const states: string[] = []
    let pages = 0
    for (let cursor: string | undefined = ''; cursor !== undefined; pages++) {
      const reply: Awaited<ReturnType<typeof message.reply>> = await driven.scripts.run(message, TOPIC, { id, cursor })
      if (reply === undefined) return undefined
      states.push(...reply.places.map(({ group, state, session = '' }) => `${group} ${state} ${session}`.trim()))
      cursor = reply.cursor
    }
    return { states, pages }
  }
  const statesOf = async (id: string) => (await places(id))?.states
  const becomeDue = async (key: string) => {
    const name = driven.scripts.key(TOPIC, key)
    for (const member of await place.redis.zrange(name, '0', '-1')) await place.redis.zadd(name, 1, member)
  }
  const finish = async (session: string, group: string) => {
    const { ranges } = await go(session, {}, group)
    await go(session, { acks: ranges.map(({ lease }) => ({ lease })), want: 0 }, group)
  }

  it('is there for the groups that were there when it was published, and for no other', async () => {
    await enter('busAAAAA~1', 'g')
    await put([{ value: encodeBatch(['a', 'b']) }])
    await put([{ value: encodeBatch(['c']), id: 'own.0' }])
    await enter('busAAAAA~2', 'late')
    expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g ready'])
    expect(await statesOf('own.0')).to.deep.equal(['g ready'])
    await finish('busAAAAA~1', 'g@1')
    for (const id of ['prodAAAA-1-0.1', 'own.0', 'own', 'nobody-1-0.0', '=own.0.0', 'prodAAAA-1-0.01'])
      expect(await statesOf(id), id).to.equal(undefined)
  })

  it('is one thing under an own id that looks like an address, and another under the address', async () => {
    await enter('busAAAAA~1', 'g')
    await put([{ value: encodeBatch(['addressed']) }])
    await put([{ value: encodeBatch(['owned']), id: 'prodAAAA-1-0.0' }])
    const reply = await driven.scripts.run(message, TOPIC, { id: 'prodAAAA-1-0.0' })
    expect(String(reply?.value)).to.contain('owned')
    await finish('busAAAAA~1', 'g@1')
  })

  it('stands in the line of its key, or is ready at its head', async () => {
    await enter('busAAAAA~1', 'g')
    const properties = [[2, 'k']] as const
    await put([{ value: encodeBatch(['a', 'b'], { properties }) }])
    await put([{ value: encodeBatch(['c'], { properties }) }])
    expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g ready'])
    expect(await statesOf('prodAAAA-2-0.0')).to.deep.equal(['g held'])
    await finish('busAAAAA~1', 'g@1')
  })

  it('is found whoever of many holds it, a bounded number of sessions at a call', async () => {
    for (let i = 0; i < 150; i++) await enter(`busAAAAA~${i}`, 'g')
    await put([{ value: encodeBatch(['a']) }])
    await go('busAAAAA~77', { want: 1 })
    await place.redis.zadd(driven.scripts.key(TOPIC, 'g@1:sessions'), 1, 'busAAAAA~99')
    const found = await places('prodAAAA-1-0.0')
    expect(found?.states).to.deep.equal(['g inFlight busAAAAA~77'])
    expect(found?.pages).to.be.within(1, 10)
    await put([{ value: encodeBatch(['b']) }])
    const waiting = await places('prodAAAA-2-0.0')
    expect(waiting).to.deep.equal({ states: ['g ready'], pages: 10 })
    await go('busAAAAA~77', { acks: [{ lease: 1 }] })
    await go('busAAAAA~77', { acks: [{ lease: 2 }] })
  })

  it('is found where it was fenced off and not recovered yet', async () => {
    for (let i = 0; i < 20; i++) await enter(`busAAAAA~${i}`, 'g')
    await put([{ value: encodeBatch(['a']) }])
    await go('busAAAAA~7', { want: 1 })
    const sessions = driven.scripts.key(TOPIC, 'g@1:sessions')
    for (let i = 0; i < 20; i++) {
      await place.redis.zrem(sessions, `busAAAAA~${i}`)
      await place.redis.rpush(driven.scripts.key(TOPIC, 'g@1:expired'), `busAAAAA~${i}`)
    }
    expect(await statesOf('prodAAAA-1-0.0')).to.deep.equal(['g inFlight busAAAAA~7'])
    await enter('busAAAAA~x', 'g')
    await go('busAAAAA~x', { renew: true })
    expect(await statesOf('prodAAAA-1-0.0')).to.deep.equal(['g inFlight busAAAAA~x'])
    await go('busAAAAA~x', { acks: [{ lease: 1 }], want: 0 })
  })

  describe('of a batch of which a guard put some off', () => {
    const guard: GuardLua = {
      name: 'later',
      keys: [],
      lua: "return { check = function(m, args) if args[1] == 'replace' then return replace(args[2]) end return defer(60000) end }",
    }
    beforeEach(() => begin({ guards: { publish: [guard] } }))
    const call = (message: number, ...args: string[]) => ({ message, guard: 0, args })
    const putSome = () =>
      put([{ value: encodeBatch(['a', 'b', 'c']) }], { units: [3], guardKeys: [[]], guardCalls: [call(1), call(2)] })
    const replace = (id: string) =>
      put([{ value: encodeBatch(['new']) }], { units: [1], guardKeys: [[]], guardCalls: [call(0, 'replace', id)] })

    it('is what a group has that came meanwhile, which has nothing else of the batch', async () => {
      await enter('busAAAAA~1', 'g')
      await putSome()
      await enter('busAAAAA~2', 'late')
      expect(await statesOf('prodAAAA-1-0.0')).to.deep.equal(['g ready'])
      expect((await statesOf('prodAAAA-1-0.1'))?.sort()).to.deep.equal(['g scheduled', 'late scheduled'])
      const [first] = await place.redis.zrange(driven.scripts.key(TOPIC, 'scheduled'), '0', '0')
      await place.redis.zadd(driven.scripts.key(TOPIC, 'scheduled'), 1, first as string)
      expect(bodies(await go('busAAAAA~2', {}, 'late@2'))).to.deep.equal(['b'])
      expect(await statesOf('prodAAAA-1-0.0')).to.deep.equal(['g ready'])
      expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g ready', 'late inFlight busAAAAA~2'])
      await becomeDue('scheduled')
      expect(bodies(await go('busAAAAA~2', { acks: [{ lease: 1 }] }, 'late@2'))).to.deep.equal(['c'])
      // What such a group has done it cannot tell from what it never had.
      expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g ready'])
      await go('busAAAAA~2', { acks: [{ lease: 2 }] }, 'late@2')
      await finish('busAAAAA~1', 'g@1')
      expect((await readTopic(place.redis, place.namespace, TOPIC)).leftovers).to.deep.equal([])
    })

    it('is gone when it was replaced before anybody had it, though its batch lives', async () => {
      await enter('busAAAAA~1', 'g')
      await putSome()
      await replace('prodAAAA-1-0.1')
      expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g done'])
      await becomeDue('scheduled')
      const { ranges } = await go('busAAAAA~1')
      expect(ranges.map(({ from, count, batch }) => [batch, from, count])).to.deep.equal([
        ['prodAAAA-1-0', 0, 1],
        ['prodAAAA-2-0', 0, 1],
        ['prodAAAA-1-0', 2, 1],
      ])
      await go('busAAAAA~1', { acks: ranges.map(({ lease }) => ({ lease })) })
      expect((await readTopic(place.redis, place.namespace, TOPIC)).leftovers).to.deep.equal([])
    })

    it('is gone for the heir of what nobody had, when it was replaced', async () => {
      await putSome()
      await replace('prodAAAA-1-0.1')
      await enter('busAAAAA~1', 'g')
      expect(await statesOf('prodAAAA-1-0.1')).to.deep.equal(['g done'])
      await becomeDue('scheduled')
      const { ranges } = await go('busAAAAA~1')
      expect(ranges).to.have.length(3)
      await go('busAAAAA~1', { acks: ranges.map(({ lease }) => ({ lease })) })
      expect((await readTopic(place.redis, place.namespace, TOPIC)).leftovers).to.deep.equal([])
    })
  })
})
