import { expect } from 'chai'
import { makeBody, numberOf } from '../../bench/src/body.js'

describe("a bench message's body", () => {
  it('is 208 bytes of JSON, whichever message it is', () => {
    for (const n of [0, 1, 99_999, 12_345_678]) expect(JSON.stringify(makeBody(n))).to.have.length(208)
  })

  it('has as many bytes as asked, if that is more', () => {
    for (const bytes of [1_024, 16_384]) expect(JSON.stringify(makeBody(7, bytes))).to.have.length(bytes)
  })

  it('knows its number', () => {
    expect(numberOf(makeBody(123))).to.equal(123)
  })
})
