/** What a lease says of itself: its range, and since when it is leased. */
import { sync } from '@busway/lua'
import { expect } from 'chai'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const KEY = 2

describe('a lease', () => {
  const driven = drivenTopic()
  const { place, put, enter, go } = driven
  const leases = () => place.redis.hgetall(`${place.namespace}:{${TOPIC}}:g@1:lease:busAAAAA~1`)

  it('says since when, whatever part of it is left', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch([1, 2, 3, 4]) }])
    await put([{ value: encodeBatch([5, 6], { properties: [[KEY, 'a,b']] }) }])
    const { nowMs } = await go('busAAAAA~1')
    expect(await leases()).to.deep.equal({
      1: `0,4,4,prodAAAA-1-0\n${nowMs}`,
      2: `!0,3,a,b0,2,2,prodAAAA-2-0\n${nowMs}`,
    })
    const parts = [
      { lease: 1, from: 2, count: 2 },
      { lease: 2, from: 1, count: 1 },
    ]
    await go('busAAAAA~1', { releases: parts, want: 0 })
    expect(await leases()).to.deep.equal({
      1: `0,2,4,prodAAAA-1-0\n${nowMs}`,
      2: `!0,3,a,b0,1,2,prodAAAA-2-0\n${nowMs}`,
    })
  })

  it('is told to a client that forgot it as it was when it was given', async () => {
    await enter('busAAAAA~1')
    await put([{ value: encodeBatch([1, 2]) }])
    await put([{ value: encodeBatch([3], { properties: [[KEY, 'k']] }), id: 'own' }])
    const { ranges } = await go('busAAAAA~1')
    const reply = await driven.scripts.run(sync, TOPIC, { group: 'g@1', session: 'busAAAAA~1', epoch: 1, known: [] })
    expect(reply).to.have.deep.property('unknown', ranges)
  })
})
