import { expect } from 'chai'
import fc from 'fast-check'
import { median, percentile, ratio, summarize } from '../../bench/src/statistics.js'

const figures = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 })

describe("the bench's statistics", () => {
  describe('a median', () => {
    it('is the middle of an odd number of values, in whatever order they come', () => {
      expect(median([9, 1, 10])).to.equal(9)
    })

    it('is half-way between the two in the middle of an even number', () => {
      expect(median([4, 1, 3, 100])).to.equal(3.5)
    })

    it('is not a number when nothing was measured', () => {
      expect(median([])).to.be.NaN
    })

    it('lies between the least and the greatest value', () => {
      fc.assert(
        fc.property(figures, (values) => {
          const { median: middle, min, max } = summarize(values)
          expect(middle).to.be.within(min, max)
        }),
      )
    })

    it('leaves its values as they were', () => {
      const values = [3, 1, 2]
      median(values)
      expect(values).to.deep.equal([3, 1, 2])
    })
  })

  describe('a percentile', () => {
    it('is the smallest value that so many per cent do not exceed', () => {
      const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
      expect([50, 99, 99.9, 100].map((percent) => percentile(hundred, percent))).to.deep.equal([50, 99, 100, 100])
    })

    it('is the value itself when there is only one', () => {
      expect(percentile([7], 1)).to.equal(7)
      expect(percentile([7], 99)).to.equal(7)
    })

    it('is not a number when nothing was measured', () => {
      expect(percentile([], 50)).to.be.NaN
    })

    it('has at least its share of the values at or below it, and less than its share strictly below', () => {
      fc.assert(
        fc.property(figures, fc.integer({ min: 1, max: 100 }), (values, percent) => {
          const at = percentile(values, percent)
          const share = (percent / 100) * values.length
          expect(values.filter((value) => value <= at).length).to.be.at.least(share - 1e-9)
          expect(values.filter((value) => value < at).length).to.be.below(share + 1e-9)
        }),
      )
    })
  })

  describe('a ratio', () => {
    it('is of the medians, with the least and greatest of the rounds', () => {
      expect(ratio([10, 30, 20], [1, 2, 4])).to.deep.equal({ median: 10, min: 5, max: 15 })
    })

    it('pairs only the rounds that both sides have', () => {
      expect(ratio([10, 20], [1])).to.deep.equal({ median: 15, min: 10, max: 10 })
    })

    it('is 1 of a side with itself', () => {
      fc.assert(
        fc.property(figures, (values) => {
          expect(ratio(values, values)).to.deep.equal({ median: 1, min: 1, max: 1 })
        }),
      )
    })
  })
})
