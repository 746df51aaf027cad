import type { StagedPublish } from '@busway/lua'
import { expect } from 'chai'
import { Staging } from '../../packages/bus/src/consume/staging.js'

const staged = (topic: string): StagedPublish => ({ topic, batch: { value: new Uint8Array() } })
const allowed = () => undefined

describe('the publishes staged by a run', () => {
  it('keep the order of the calls, however long each takes to encode', async () => {
    const staging = new Staging()
    let encodeFirst: (value: StagedPublish) => void = () => {}
    void staging.add(new Promise((resolve) => (encodeFirst = resolve)), allowed)
    void staging.add(Promise.resolve(staged('b')), allowed)
    const all = staging.all()
    encodeFirst(staged('a'))
    expect((await all).map(({ topic }) => topic)).to.deep.equal(['a', 'b'])
  })

  it('go without one that failed if the handler caught its error', async () => {
    const staging = new Staging()
    const failing = staging.add(Promise.reject(new Error('no')), allowed)
    expect(await failing.then(() => 'staged', String)).to.equal('Error: no')
    await staging.add(Promise.resolve(staged('b')), allowed)
    expect(await staging.all()).to.have.length(1)
  })

  it('fail the run if one failed that nobody waited for', async () => {
    const staging = new Staging()
    void staging.add(Promise.reject(new Error('no')), allowed)
    await staging.add(Promise.resolve(staged('b')), allowed)
    expect(await staging.all().then(() => 'all', String)).to.equal('Error: no')
  })

  it('are refused if the lease was lost while they were encoded', async () => {
    const staging = new Staging()
    const refusal = new Error('lost')
    const late = staging.add(Promise.resolve(staged('a')), () => refusal)
    expect(
      await late.then(
        () => 'staged',
        (error) => error,
      ),
    ).to.equal(refusal)
    expect(await staging.all()).to.have.length(0)
  })
})
