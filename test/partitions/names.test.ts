import { expect } from 'chai'
import fc from 'fast-check'
import { murmur2 } from '../../packages/bus/src/partitions/murmur2.js'
import { partitionNames, partitionOf, partitionOfKey } from '../../packages/bus/src/partitions/names.js'
import { SLOTS, slotOf } from '../../packages/bus/src/redis/slots.js'

const topic = fc.stringMatching(/^[a-z0-9_-]{1,20}(\.[a-z0-9_-]{1,20}){0,2}$/)

describe("a key's partition", () => {
  it("is by Kafka's hash, as its own tests have it", () => {
    // clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
    const published: [string, number][] = [
      ['21', -973_932_308],
      ['foobar', -790_332_482],
      ['a-little-bit-long-string', -985_981_536],
      ['a-little-bit-longer-string', -1_486_304_829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
      ['abc', 479_470_107],
    ]
    for (const [text, hash] of published) expect(murmur2(Buffer.from(text)) | 0, text).to.equal(hash)
  })

  it('is for ever the same: docs/wire-format.md has these', () => {
    const of = (key: string) => partitionOfKey(key, 12)
    expect(['21', 'foobar', 'abc', 'Ω', 'order-1', 'order-2'].map(of)).to.deep.equal([0, 6, 3, 4, 10, 3])
  })

  it('is one of them, and all are as likely', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.string(), (count, key) => {
        const index = partitionOfKey(key, count)
        return index === partitionOfKey(key, count) && index >= 0 && index < count
      }),
    )
    const taken = new Array<number>(12).fill(0)
    for (let n = 0; n < 12_000; n++) {
      const index = partitionOfKey(`customer-${n * 10}`, 12)
      taken[index] = (taken[index] as number) + 1
    }
    expect(Math.min(...taken)).to.be.above(850)
    expect(Math.max(...taken)).to.be.below(1_150)
  })
})

describe('the names of partitions', () => {
  it('are for ever the same: docs/wire-format.md has these', () => {
    expect(partitionNames('orders.paid', 3)).to.deep.equal([
      'orders.paid#0.3.13',
      'orders.paid#1.3.2',
      'orders.paid#2.3.2',
    ])
    expect(partitionNames('orders.paid', 1)).to.deep.equal(['orders.paid'])
  })

  it('are in the middle of equal shares of the slots, in their order', () => {
    fc.assert(
      fc.property(topic, fc.integer({ min: 2, max: 64 }), (name, count) => {
        partitionNames(name, count).forEach((partition, index) => {
          const within = slotOf(partition) / (SLOTS / count) - index
          expect(within).to.be.within(0.25, 0.75)
        })
      }),
      { numRuns: 50 },
    )
  })

  it('say what they are partitions of, and no other name does', () => {
    fc.assert(
      fc.property(topic, fc.integer({ min: 2, max: 16 }), (name, count) => {
        for (const partition of partitionNames(name, count))
          expect(partitionOf(partition)).to.deep.equal({ topic: name, count })
      }),
      { numRuns: 20 },
    )
    const [first = ''] = partitionNames('orders.paid', 3)
    const salt = first.split('.').at(-1)
    for (const none of [
      'orders.paid',
      `${first}0`,
      `orders.paid#3.3.${salt}`,
      `orders.paid#0.1.${salt}`,
      'orders.paid#0.99999.0',
      'a#b#0.3.0',
      '#0.3.0',
      `orders.paid#00.3.${salt}`,
    ])
      expect(partitionOf(none), none).to.equal(undefined)
  })

  it('take no time to speak of, however many they are', () => {
    const startedMs = performance.now()
    const names = partitionNames('orders.many', 1_024)
    expect(new Set(names.map(slotOf)).size).to.equal(1_024)
    expect(performance.now() - startedMs).to.be.below(2_000)
  })
})
