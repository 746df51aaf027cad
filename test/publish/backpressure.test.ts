import { expect } from 'chai'
import { Backpressure } from '../../packages/bus/src/publish/backpressure.js'

/** News that come when the test says so. */
function rig() {
  const state = { opened: 0, back: () => {}, tell: (_messages: string) => {} }
  let confirm = () => {}
  const backpressure = new Backpressure(
    {
      busId: 'busbusbu',
      subscribe: (listener) => {
        state.tell = listener
        return new Promise<void>((resolve) => {
          confirm = resolve
        })
      },
      onBack: (listener) => {
        state.back = listener
      },
    },
    () => state.opened++,
  )
  const listens = async () => {
    backpressure.sent()
    backpressure.refused('full', false)
    confirm()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { backpressure, state, listens }
}

describe('a producer that waits for room', () => {
  it('listens from the first refusal on, and then asks again, to be noted', async () => {
    const { backpressure, state, listens } = rig()
    expect(backpressure.sent()).to.deep.equal({})
    await listens()
    expect([backpressure.isShut, state.opened, backpressure.most]).to.deep.equal([false, 1, 0])
    expect(backpressure.sent()).to.deep.equal({ bus: 'busbusbu' })
  })

  it('sends as much as it is told there is room for', async () => {
    const { backpressure, state, listens } = rig()
    await listens()
    backpressure.sent()
    backpressure.refused('full', true)
    expect(backpressure.isShut).to.equal(true)
    state.tell('17')
    expect([backpressure.isShut, backpressure.most]).to.deep.equal([false, 17])
    backpressure.sent()
    backpressure.accepted()
    expect(backpressure.most).to.equal(Number.POSITIVE_INFINITY)
  })

  it('heeds news that arrive before the refusal that they answer, on another connection', async () => {
    const { backpressure, state, listens } = rig()
    await listens()
    backpressure.sent()
    state.tell('3')
    backpressure.refused('full', true)
    expect([backpressure.isShut, backpressure.most]).to.deep.equal([false, 3])
    backpressure.sent()
    backpressure.refused('full', true)
    expect(backpressure.isShut, 'but not older ones').to.equal(true)
  })

  it('asks again when the connection is back that news come by', async () => {
    const { backpressure, state, listens } = rig()
    await listens()
    backpressure.sent()
    backpressure.refused('full', true)
    state.back()
    expect([backpressure.isShut, backpressure.most]).to.deep.equal([false, 0])
  })
})
