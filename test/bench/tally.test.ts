import { expect } from 'chai'
import { makeBody } from '../../bench/src/body.js'
import type { Consumer } from '../../bench/src/peer.js'
import { settled, Tally } from '../../bench/src/tally.js'

describe("the bench's tally", () => {
  it('is complete when every message was handled, in whatever order', async () => {
    const tally = new Tally(3)
    for (const n of [2, 0, 1]) tally.add(makeBody(n))
    await tally.complete
  })

  it('fails a peer that handles a message twice', async () => {
    const tally = new Tally(3)
    for (const n of [0, 1, 1]) tally.add(makeBody(n))
    const error = await tally.complete.catch((cause: Error) => cause)
    expect(error).to.have.property('message').that.includes('Message 1 was handled twice')
  })

  it('fails a peer that brings a message from elsewhere', async () => {
    const tally = new Tally(3)
    tally.add(makeBody(3))
    expect(await tally.complete.catch((cause: Error) => cause)).to.be.an('error')
  })

  it('goes on until the peer says that nothing is unsettled', async () => {
    const tally = new Tally(1)
    const answers = [false, false, true]
    const consumer: Consumer = {
      start: async () => {},
      isDrained: async () => answers.shift() ?? expect.fail('asked again after it was drained'),
      close: async () => {},
    }
    tally.add(makeBody(0))
    await settled(tally, consumer)
    expect(answers).to.deep.equal([])
  })
})
