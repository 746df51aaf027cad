import type { Duration } from '@busway/bus'
import { expect } from 'chai'
import { durationMs } from '../../packages/bus/src/validate/durations.js'

describe('a duration', () => {
  const good: [unknown, number][] = [
    [0, 0],
    [250, 250],
    [0.5, 1],
    ['50ms', 50],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['14d', 1_209_600_000],
    ['0.0001s', 1],
  ]
  for (const [value, ms] of good)
    it(`of ${value} is ${ms} ms, never less`, () => expect(durationMs('delay', value as Duration)).to.equal(ms))

  const bad: unknown[] = [
    -1,
    '-1s',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '1e3s',
    '5',
    '5 s',
    's',
    '',
    '1w',
    null,
    undefined,
    {},
    true,
    1n,
    '40000d',
    1e15,
  ]
  for (const value of bad) {
    it(`may not be ${String(value) || 'empty'}`, () => {
      expect(() => durationMs('delay', value))
        .to.throw(/^delay: /)
        .with.property('code', 'INVALID_OPTIONS')
    })
  }

  it('may have a least', () => {
    expect(() => durationMs('lease', 0, 100)).to.throw('below 100 ms')
  })
})
