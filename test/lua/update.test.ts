/** Changing a message by its id, beside the model of model.test.ts: bytes that others changed meanwhile, more sessions than one call looks through. */
import { createHash } from 'node:crypto'
import { message, type UpdateReply, update } from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

describe('a message that is changed', () => {
  const driven = drivenTopic()
  const { place, put, enter, go, bodies } = driven
  const ID = 'prodAAAA-1-0.1'
  const bytesOf = async (id: string) => (await driven.scripts.run(message, TOPIC, { id }))?.value as Buffer
  const change = (value: Buffer, read: Buffer, token: string, cursor?: string): Promise<UpdateReply> => {
    const replacing = createHash('sha1').update(read).digest('hex')
    const bytes = { value, replacing, prioritized: false }
    return driven.scripts.run(update, TOPIC, { id: ID, token, bytes, ...(cursor === undefined ? {} : { cursor }) })
  }
  const leftovers = async () => (await readTopic(place.redis, place.namespace, TOPIC)).leftovers

  it('has its bytes replaced only if they are those that were read, and is otherwise left as it is', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch(['a', 'b', 'c']) }])
    const read = await bytesOf(ID)
    expect(await change(encodeBatch(['B']), read, 'first')).to.include({ status: 'ok', changed: 1 })
    expect(await change(encodeBatch(['late']), read, 'second')).to.deep.equal({ status: 'stale' })
    expect(await change(encodeBatch(['B']), read, 'first'), 'sent again').to.include({ status: 'ok' })
    const reply = await go('busAAAAA~1')
    expect(bodies(reply)).to.deep.equal(['a', 'B', 'c'])
    await go('busAAAAA~1', { acks: reply.ranges.map(({ lease }) => ({ lease })), want: 0 })
    expect(await leftovers()).to.deep.equal([])
  })

  it('is gone once all have ended it, and a change that was sent before answers what it answered', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch(['a', 'b']) }])
    const read = await bytesOf(ID)
    await change(encodeBatch(['B']), read, 'first')
    const { ranges } = await go('busAAAAA~1')
    await go('busAAAAA~1', { acks: ranges.map(({ lease }) => ({ lease })), want: 0 })
    expect(await change(encodeBatch(['B']), read, 'first')).to.include({ status: 'ok', changed: 1 })
    expect(await change(encodeBatch(['B']), read, 'other')).to.deep.equal({ status: 'gone' })
  })

  it('is left to whoever took it while it was looked for, in several calls', async () => {
    for (let i = 0; i < 60; i++) await enter(`busAAAAA~${i}`)
    await put([{ value: encodeBatch(['a', 'b']) }])
    const read = await bytesOf(ID)
    const begun = await change(encodeBatch(['B']), read, 'first')
    if (begun.status !== 'ok' || begun.cursor === undefined) throw new Error('one call looks through so many sessions')
    const taken = await go('busAAAAA~0')
    let reply: UpdateReply = begun
    while (reply.status === 'ok' && reply.cursor !== undefined)
      reply = await change(encodeBatch(['B']), read, 'first', reply.cursor)
    expect(reply).to.include({ status: 'ok', changed: 0, held: 1 })
    expect(bodies(taken)).to.deep.equal(['a', 'b'])
    await go('busAAAAA~0', { acks: taken.ranges.map(({ lease }) => ({ lease })), want: 0 })
    expect(await leftovers()).to.deep.equal([])
  })

  it('is changed in the last of several calls, if nobody took it', async () => {
    for (let i = 0; i < 60; i++) await enter(`busAAAAA~${i}`)
    await put([{ value: encodeBatch(['a', 'b']) }])
    const read = await bytesOf(ID)
    let reply = await change(encodeBatch(['B']), read, 'first')
    let calls = 1
    for (; reply.status === 'ok' && reply.cursor !== undefined; calls++)
      reply = await change(encodeBatch(['B']), read, 'first', reply.cursor)
    expect(calls).to.be.within(2, 6)
    expect(reply).to.include({ status: 'ok', changed: 1, held: 0 })
    const taken = await go('busAAAAA~0')
    expect(bodies(taken)).to.deep.equal(['a', 'B'])
    await go('busAAAAA~0', { acks: taken.ranges.map(({ lease }) => ({ lease })), want: 0 })
    expect(await leftovers()).to.deep.equal([])
  })
})
