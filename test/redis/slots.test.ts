import { expect } from 'chai'
import { slotOf, tagOf } from '../../packages/bus/src/redis/slots.js'

describe('the slot of a topic', () => {
  it('is that which Redis says (CLUSTER KEYSLOT)', () => {
    const slots = { '123456789': 12_739, foo: 12_182, 'orders.paid': 7_687, größe: 9_425, $bus: 12_780, a: 15_495 }
    expect(Object.keys(slots).map(slotOf)).to.deep.equal(Object.values(slots))
  })

  it('is told by what stands between the braces of a key', () => {
    expect(tagOf('busway:{orders.paid}:wake:abc')).to.equal('orders.paid')
  })
})
