/** The short form of `npm run test:chaos`; `BUSWAY_CHAOS_SEED` repeats a run. */
import { expect } from 'chai'
import { mixed } from './faults/index.js'
import { runChaos } from './run.js'
import { TOPOLOGIES } from './sites/site.js'

const SECONDS = 8

describe('chaos: processes that work while faults strike', function () {
  this.timeout(180_000)

  for (const topology of TOPOLOGIES)
    it(`breaks no promise, ${topology}`, async () => {
      const seed = Number(process.env.BUSWAY_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
      const faults = mixed(seed, topology, { long: false })
      const { problems, folder } = await runChaos({ seed, seconds: SECONDS, topology, faults })
      expect(problems, `seed ${seed}, history in ${folder}`).to.deep.equal([])
    })
})
