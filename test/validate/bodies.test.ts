import { expect } from 'chai'
import fc from 'fast-check'
import { encodeJson } from '../../packages/bus/src/validate/bodies.js'

describe('a body', () => {
  it('is encoded as JSON does it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => void expect(encodeJson('t', value)).to.equal(JSON.stringify(value))),
    )
    expect(encodeJson('t', { at: new Date(0), note: undefined, n: Number.NaN })).to.equal(
      '{"at":"1970-01-01T00:00:00.000Z","n":null}',
    )
  })

  it('of a class is its data', () => {
    class Order {
      readonly id = 1
      total(): number {
        return this.id
      }
    }
    expect(encodeJson('t', new Order())).to.equal('{"id":1}')
  })

  const cycle: Record<string, unknown> = { a: { list: [0] } }
  ;(cycle.a as { list: unknown[] }).list.push(cycle)
  const bad: [string, unknown, string, string][] = [
    ['with a cycle', cycle, 'body.a.list[1]', 'a cycle'],
    ['with a BigInt', { order: { total: 1n } }, 'body.order.total', 'a BigInt'],
    ['that is a BigInt', 1n, 'body', 'a BigInt'],
    ['that is undefined', undefined, 'body', 'undefined'],
    ['that is a function', () => 1, 'body', 'a function'],
    ['with a function', { on: { done: () => 1 } }, 'body.on.done', 'a function'],
    ['with a function in a list', [1, [() => 1]], 'body[1][0]', 'a function'],
    ['with a symbol', { 'a b': Symbol('x') }, 'body["a b"]', 'a symbol'],
    ['whose toJSON gives undefined', { toJSON: () => undefined }, 'body', 'undefined'],
    [
      'whose toJSON fails',
      {
        x: {
          toJSON() {
            throw new Error('no')
          },
        },
      },
      'body.x',
      'toJSON fails',
    ],
  ]
  for (const [what, body, path, why] of bad) {
    it(`${what} is refused with its path`, () => {
      expect(() => encodeJson('orders.paid', body))
        .to.throw(`orders.paid cannot be encoded: ${path} is `)
        .with.property('code', 'INVALID_BODY')
      expect(() => encodeJson('orders.paid', body)).to.throw(why)
    })
  }
})
