import { expect } from 'chai'
import fc from 'fast-check'
import { checkGroup, checkTopic, checkTopicOrPattern } from '../../packages/bus/src/validate/names.js'

const code = (check: () => void): string | undefined => {
  try {
    check()
    return undefined
  } catch (error) {
    return (error as { code: string }).code
  }
}
const topic = (name: unknown): string | undefined => code(() => checkTopic(name))

describe("a topic's name", () => {
  for (const name of ['a', 'orders.paid', 'A-Z_09.x.y', 'x'.repeat(200)]) {
    it(`may be ${name.slice(0, 20)}`, () => expect(topic(name)).to.equal(undefined))
  }
  const bad: [string, unknown][] = [
    ['empty', ''],
    ['with {', 'a{b'],
    ['with }', 'a}b'],
    ['with :', 'a:b'],
    ['with *', 'orders.*'],
    ['with >', 'orders.>'],
    ['with a space', 'a b'],
    ['with NUL', 'a\0b'],
    ['with a line break', 'a\n'],
    ['of 201 characters', 'x'.repeat(201)],
    ['of 10 kB', 'x'.repeat(10_000)],
    ['__proto__', '__proto__'],
    ['with an empty token', 'a..b'],
    ['that begins with a dot', '.a'],
    ['that ends with a dot', 'a.'],
    ['with é', 'é'],
    ['that is internal', '$schedule'],
    ['undefined', undefined],
    ['a number', 7],
    ['an object', { toString: () => 'a' }],
  ]
  for (const [what, name] of bad) it(`may not be one ${what}`, () => expect(topic(name)).to.equal('INVALID_TOPIC'))

  it('is refused with a message of bounded length that shows what is wrong', () => {
    expect(() => checkTopic('orders:paid')).to.throw('":" in it')
    try {
      checkTopic('x'.repeat(10_000))
    } catch (error) {
      expect((error as Error).message.length).to.be.below(300)
    }
  })

  it('is one of plugins where those are allowed', () => {
    expect(code(() => checkTopic('$schedule', true))).to.equal(undefined)
    expect(code(() => checkTopic('$sch{edule', true))).to.equal('INVALID_TOPIC')
    expect(
      code(() => checkTopic('$bus', true)),
      "the bus' own",
    ).to.equal('INVALID_TOPIC')
  })

  it('never gets braces, colons or control characters past the check', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (name) => {
        if (topic(name) === undefined) expect(name).to.match(/^[A-Za-z0-9_.-]+$/)
      }),
    )
  })
})

describe('a pattern', () => {
  const pattern = (name: unknown): string | undefined => code(() => checkTopicOrPattern(name))
  for (const name of ['*', '>', 'orders.*', '*.paid', 'orders.>', '*.*.x'])
    it(`may be ${name}`, () => expect(pattern(name)).to.equal(undefined))
  for (const name of ['orders.>.x', 'or*', 'orders.**', '>x', 'orders..*', '*.']) {
    it(`may not be ${name}`, () => expect(pattern(name)).to.equal('INVALID_TOPIC'))
  }
})

describe("a group's name", () => {
  for (const name of ['ledger', 'a.b-c_D9', 'x'.repeat(100)])
    it(`may be ${name.slice(0, 20)}`, () => expect(code(() => checkGroup(name))).to.equal(undefined))
  for (const name of ['', 'a b', 'a@1', 'a:b', 'x'.repeat(101), '__proto__', null]) {
    it(`may not be ${String(name).slice(0, 20)}`, () => expect(code(() => checkGroup(name))).to.equal('INVALID_GROUP'))
  }
})
