import { expect } from 'chai'
import fc from 'fast-check'
import { globOf, matcher } from '../../packages/bus/src/topics/matching.js'

describe('a pattern', () => {
  const cases: [pattern: string, meant: string[], others: string[]][] = [
    ['orders.*', ['orders.paid', 'orders.*x'], ['orders', 'orders.paid.late', 'order.paid', 'ordersXpaid']],
    ['orders.>', ['orders.paid', 'orders.paid.late'], ['orders', 'invoices.paid']],
    ['*', ['orders'], ['orders.paid', '$schedule']],
    ['>', ['orders', 'orders.paid'], ['$schedule', '$schedule.x']],
    ['*.*', ['a.b'], ['a', 'a.b.c', '$a.b']],
    ['*.>', ['a.b', 'a.b.c'], ['a']],
    ['a.*.c', ['a.b.c'], ['a.c', 'a.b.b.c', 'a.b.d']],
  ]
  for (const [pattern, meant, others] of cases) {
    it(`${pattern} means what has its tokens`, () => {
      for (const topic of meant) expect(matcher(pattern)(topic), topic).to.equal(true)
      for (const topic of others) expect(matcher(pattern)(topic), topic).to.equal(false)
    })
  }

  it('is asked of Redis as a glob that leaves out nothing', () => {
    const token = fc.constantFrom('a', 'b', 'a-b', '_', '*')
    const pattern = fc
      .tuple(fc.array(token, { maxLength: 4 }), fc.boolean())
      .map(([tokens, isOpen]) => (isOpen || tokens.length === 0 ? [...tokens, '>'] : tokens).join('.'))
    const topic = fc
      .array(fc.constantFrom('a', 'b', 'a-b', '_'), { minLength: 1, maxLength: 5 })
      .map((t) => t.join('.'))
    fc.assert(
      fc.property(pattern, topic, (pattern, topic) => {
        // Of a glob these patterns use only the star.
        const glob = new RegExp(`^${globOf(pattern).replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
        return !matcher(pattern)(topic) || glob.test(topic)
      }),
    )
  })
})
