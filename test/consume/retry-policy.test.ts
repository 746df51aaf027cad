import { expect } from 'chai'
import fc from 'fast-check'
import { defaultRetry, isExhausted, judge, noRetry } from '../../packages/bus/src/consume/retry-policy.js'
import { RetryAfterError, UnrecoverableError } from '../../packages/bus/src/errors/index.js'

const failure = new Error('no')
const exact = { ...defaultRetry, jitter: 0 }
const delayOf = (policy: typeof defaultRetry, attempt: number, random = 0): number => {
  const verdict = judge(policy, attempt, failure, random)
  if (verdict.kind !== 'retry') throw new Error(`attempt ${attempt} is dead`)
  return verdict.delayMs
}

describe('a retry policy', () => {
  it('doubles its delay from a second up to five minutes', () => {
    expect([1, 2, 3, 9, 10, 19].map((attempt) => delayOf(exact, attempt))).to.deep.equal([
      1_000, 2_000, 4_000, 256_000, 300_000, 300_000,
    ])
  })

  it('goes on for about an hour by default', () => {
    let allMs = 0
    for (let attempt = 1; attempt < defaultRetry.attempts; attempt++) allMs += delayOf(defaultRetry, attempt, 0.5)
    expect(allMs).to.be.within(0.7 * 3_600_000, 1.3 * 3_600_000)
  })

  it('never waits longer than maxDelay, nor shorter than what its jitter leaves', () => {
    const policies = fc.record({
      attempts: fc.constant(1_000),
      backoff: fc.constantFrom('exponential' as const, 'fixed' as const),
      delayMs: fc.nat(100_000),
      maxDelayMs: fc.nat(1_000_000),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 999 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (policy, attempt, random) => {
          const delayMs = delayOf(policy, attempt, random)
          const fullMs = delayOf({ ...policy, jitter: 0 }, attempt)
          expect(delayMs).to.be.at.most(Math.min(fullMs, policy.maxDelayMs))
          expect(delayMs).to.be.at.least(Math.floor(fullMs * (1 - policy.jitter)))
        },
      ),
    )
  })

  it('asks its function, and waits longest where that fails or makes no sense', () => {
    expect(delayOf({ ...exact, backoff: (attempt) => `${attempt}s` }, 3)).to.equal(3_000)
    expect(delayOf({ ...exact, backoff: () => Number.NaN }, 1)).to.equal(300_000)
    const faulty = () => {
      throw new Error('faulty')
    }
    expect(delayOf({ ...exact, backoff: faulty }, 1)).to.equal(300_000)
  })

  it('makes a dead letter of the failure of the last attempt', () => {
    expect(judge({ ...exact, attempts: 3 }, 2, failure, 0).kind).to.equal('retry')
    expect(judge({ ...exact, attempts: 3 }, 3, failure, 0)).to.deep.equal({ kind: 'dead', reason: 'attempts' })
    expect(judge(noRetry, 1, failure, 0)).to.deep.equal({ kind: 'dead', reason: 'attempts' })
  })

  it('leaves the delay to RetryAfterError, which may not count', () => {
    const after = new RetryAfterError('7s')
    expect(judge(defaultRetry, 1, after, 0.9)).to.deep.equal({ kind: 'retry', delayMs: 7_000, counted: true })
    expect(judge(noRetry, 1, after, 0)).to.deep.equal({ kind: 'dead', reason: 'attempts' })
    const uncounted = new RetryAfterError('7s', { countAttempt: false })
    expect(judge(noRetry, 1, uncounted, 0)).to.deep.equal({ kind: 'retry', delayMs: 7_000, counted: false })
  })

  it('gives up at once what is unrecoverable', () => {
    expect(judge(defaultRetry, 1, new UnrecoverableError('gone'), 0)).to.deep.equal({
      kind: 'dead',
      reason: 'unrecoverable',
    })
  })

  it('is used up by recorded attempts, but for one crash, which may be a neighbour’s', () => {
    const three = { ...defaultRetry, attempts: 3 }
    expect(isExhausted(three, { attempts: 3, crashes: 0 })).to.equal(true)
    expect(isExhausted(three, { attempts: 3, crashes: 1 })).to.equal(false)
    expect(isExhausted(three, { attempts: 4, crashes: 2 })).to.equal(true)
    expect(isExhausted(noRetry, { attempts: 1, crashes: 1 })).to.equal(false)
  })
})
