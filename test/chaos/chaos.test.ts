/** The short form of `npm run test:chaos`; `BUSWAY_CHAOS_SEED` repeats a run. */
import { expect } from 'chai'
import { mixed } from './faults/index.js'
import { runChaos } from './run.js'

const SECONDS = 8

describe('chaos: processes that work while faults strike', function () {
  this.timeout(180_000)

  it('breaks no promise', async () => {
    const seed = Number(process.env.BUSWAY_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
    const { problems, folder } = await runChaos({
      seed,
      seconds: SECONDS,
      faults: mixed(seed, 'standalone', { long: false }),
    })
    expect(problems, `seed ${seed}, history in ${folder}`).to.deep.equal([])
  })
})
