import { expect } from 'chai'
import { Lanes } from '../../bench/src/lanes.js'

describe("the bench's lanes", () => {
  it('run so many at a time, the rest in the order in which they came', async () => {
    const begun: number[] = []
    const ends = new Map<number, () => void>()
    const lanes = new Lanes<number>(2, (n) => {
      begun.push(n)
      return new Promise((resolve) => ends.set(n, resolve))
    })
    const end = async (n: number) => {
      ends.get(n)?.()
      await new Promise(setImmediate)
    }

    for (const n of [0, 1, 2, 3]) lanes.add(n)
    expect(begun).to.deep.equal([0, 1])
    await end(1)
    expect(begun).to.deep.equal([0, 1, 2])
    await end(0)
    lanes.add(4)
    await end(3)
    expect(begun).to.deep.equal([0, 1, 2, 3, 4])
    expect(lanes.isEmpty).to.equal(false)
    await end(2)
    await end(4)
    expect(lanes.isEmpty).to.equal(true)
  })
})
