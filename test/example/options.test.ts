import { expect } from 'chai'
import { parseOptions, UsageError } from '../../services-example/src/options.js'

describe("the example's options", () => {
  it('default to 2,000 flights in 8 seconds, and a process each of ledger, reports and delays killed', () => {
    expect(parseOptions([])).to.deep.equal({
      flights: 2_000,
      seed: 7,
      feedMs: 8_000,
      kill: ['ledger', 'reports', 'delays'],
      deployment: 'production',
    })
  })

  it('take numbers in thousands', () => {
    expect(parseOptions(['--flights', '200k'])).to.include({ flights: 200_000 })
    expect(parseOptions(['--flights', '500', '--seconds', '0.5'])).to.include({ flights: 500, feedMs: 500 })
  })

  it('take whom to kill, or none', () => {
    expect(parseOptions(['--kill', 'alerts'])).to.deep.include({ kill: ['alerts'] })
    expect(parseOptions(['--kill', 'none'])).to.deep.include({ kill: [] })
  })

  for (const wrong of [
    ['--flights', '0'],
    ['--flights', '201k'],
    ['--flights', 'many'],
    ['--seed', '-1'],
    ['--seconds', 'long'],
    ['--kill', 'feed'],
    ['--speed', '1'],
  ])
    it(`say what is wrong with ${wrong.join(' ')}`, () => {
      expect(() => parseOptions(wrong)).to.throw(UsageError, wrong[0])
    })
})
