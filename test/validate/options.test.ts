import { expect } from 'chai'
import { nearest } from '../../packages/bus/src/validate/nearest.js'
import { checkInteger, checkNames } from '../../packages/bus/src/validate/options.js'

const known = ['id', 'type', 'key', 'headers', 'position', 'delay', 'deliverAt', 'signal']

describe('an unknown option', () => {
  const meant: [string, string][] = [
    ['dealy', 'delay'],
    ['Delay', 'delay'],
    ['header', 'headers'],
    ['deliver_at', 'deliverAt'],
    ['poistion', 'position'],
    ['keys', 'key'],
  ]
  for (const [written, right] of meant) {
    it(`${written} is named, with ${right}`, () => {
      expect(() => checkNames('publish', { [written]: 1 }, known))
        .to.throw(`publish: there is no option "${written}". Did you mean "${right}"?`)
        .with.deep.property('details', { option: written, nearest: right })
    })
  }

  it('that means nothing is named with all that there are', () => {
    expect(() => checkNames('publish', { banana: 1 }, known)).to.throw('It takes id, type, key')
    expect(nearest('banana', known)).to.equal(undefined)
  })

  it('of 10 kB is named in a message of bounded length', () => {
    expect(() => checkNames('publish', { ['x'.repeat(10_000)]: 1 }, known)).to.throw(/^.{1,300}$/)
  })
})

describe('a whole number', () => {
  for (const value of [-1, 101, 1.5, Number.NaN, '7', null, 7n]) {
    it(`may not be ${String(value)}`, () => {
      expect(() => checkInteger('concurrency', value, 1, 100)).to.throw(/^concurrency: .*from 1 to 100/)
    })
  }
})
