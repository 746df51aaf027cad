import { expect } from 'chai'
import { Backlog } from '../../packages/bus/src/consume/backlog.js'
import { type HeldRange, Progress } from '../../packages/bus/src/consume/held-range.js'
import { heldRange } from './held.js'

describe('a backlog', () => {
  /** What may start now, one after the other. */
  const drain = (backlog: Backlog): string[] => {
    const taken: string[] = []
    for (let range = backlog.take(); range !== undefined; range = backlog.take())
      taken.push(`${range.lease}.${backlog.index}`)
    return taken
  }
  const filled = (...ranges: HeldRange[]): Backlog => {
    const backlog = new Backlog()
    for (const range of ranges) backlog.push(range)
    return backlog
  }
  const sizes = ({ size, behind }: Backlog) => ({ size, behind })

  it('gives messages in the order in which they came', () => {
    expect(drain(filled(heldRange({ lease: 1, count: 2 }), heldRange({ lease: 2 })))).to.deep.equal([
      '1.0',
      '1.1',
      '2.0',
    ])
  })

  describe('of messages with one key', () => {
    it('gives one, and the next when that has ended', () => {
      const backlog = filled(heldRange({ lease: 1, count: 2, key: 'a' }), heldRange({ lease: 2, key: 'a' }))
      expect(drain(backlog)).to.deep.equal(['1.0'])
      expect(sizes(backlog)).to.deep.equal({ size: 2, behind: 2 })
      backlog.ended('a')
      expect(drain(backlog)).to.deep.equal(['1.1'])
      backlog.ended('a')
      expect(drain(backlog)).to.deep.equal(['2.0'])
      backlog.ended('a')
      expect(sizes(backlog)).to.deep.equal({ size: 0, behind: 0 })
    })

    it('takes out what stands behind the one that runs, to be given back', () => {
      const backlog = filled(heldRange({ lease: 1, count: 3, key: 'a' }), heldRange({ lease: 2, key: 'a' }))
      drain(backlog)
      expect(backlog.takeLine('a').map(({ lease }) => lease)).to.deep.equal([1, 2])
      expect(sizes(backlog)).to.deep.equal({ size: 0, behind: 0 })
    })
  })

  describe('of messages with keys of their own', () => {
    it('gives all, for nothing else of their keys is held', () => {
      const backlog = filled(heldRange({ lease: 1, keys: ['a', 'b'] }), heldRange({ lease: 2, keys: ['c'] }))
      expect(drain(backlog)).to.deep.equal(['1.0', '1.1', '2.0'])
    })

    it('gives none while a handler of a lost lease still has one of the keys, and then all', () => {
      const backlog = filled(heldRange({ lease: 1, keys: ['a', 'b'] }))
      drain(backlog)
      backlog.push(heldRange({ lease: 2, keys: ['b', 'c', 'a'] }))
      backlog.push(heldRange({ lease: 3, key: 'c' }))
      expect(sizes(backlog)).to.deep.equal({ size: 4, behind: 4 })
      expect(drain(backlog)).to.deep.equal([])
      backlog.ended('a')
      expect(drain(backlog)).to.deep.equal([])
      backlog.ended('b')
      expect(drain(backlog)).to.deep.equal(['2.0', '2.1', '2.2'])
      backlog.ended('c')
      expect(drain(backlog)).to.deep.equal(['3.0'])
      for (const key of ['a', 'b', 'c']) backlog.ended(key)
      expect(sizes(backlog)).to.deep.equal({ size: 0, behind: 0 })
    })

    it('is not held up by a key whose message was withdrawn', () => {
      const backlog = filled(heldRange({ lease: 1, key: 'a' }))
      drain(backlog)
      const range = heldRange({ lease: 2, keys: ['a', 'b'] })
      backlog.push(range)
      expect(backlog.withdraw(range, 0)).to.equal(true)
      range.progress[0] = Progress.told
      expect(drain(backlog)).to.deep.equal(['2.1'])
      expect(backlog.withdraw(range, 1)).to.equal(false)
      backlog.push(heldRange({ lease: 3, key: 'b' }))
      expect(drain(backlog)).to.deep.equal([])
      backlog.ended('b')
      expect(drain(backlog)).to.deep.equal(['3.0'])
    })

    it('frees the keys of what is taken out, and takes out what stands behind it', () => {
      const range = heldRange({ lease: 1, keys: ['a', 'b'] })
      const backlog = filled(range, heldRange({ lease: 2, key: 'b' }), heldRange({ lease: 3, keys: ['b', 'c'] }))
      expect(backlog.takeOut((each) => each === range).map(({ lease }) => lease)).to.deep.equal([1, 2])
      expect(drain(backlog)).to.deep.equal(['3.0', '3.1'])
      expect(sizes(backlog)).to.deep.equal({ size: 0, behind: 0 })
    })

    it('keeps the keys of those that run when the others are taken out', () => {
      const range = heldRange({ lease: 1, keys: ['a', 'b'] })
      const backlog = filled(range)
      backlog.take()
      expect(backlog.takeOut(() => true)).to.deep.equal([range])
      backlog.push(heldRange({ lease: 2, key: 'a' }))
      backlog.push(heldRange({ lease: 3, key: 'b' }))
      expect(drain(backlog)).to.deep.equal(['3.0'])
      backlog.ended('a')
      expect(drain(backlog)).to.deep.equal(['2.0'])
    })
  })
})
