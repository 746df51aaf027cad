import { expect } from 'chai'
import type { PublishRequest } from '../../packages/bus/src/publish/request.js'
import { judge } from '../../packages/bus/src/publish/verdict.js'
import type { FailureKind } from '../../packages/bus/src/seams.js'

type Fate = Partial<Pick<PublishRequest, 'mayHaveHappened' | 'isAbandoned' | 'reply'>> & {
  failed?: [FailureKind, string?]
}

/** A request as `judge` sees it. */
function request(number: number, { failed, ...fate }: Fate): PublishRequest {
  const failure = failed && Object.assign(new Error(), { kind: failed[0], ...(failed[1] ? { reply: failed[1] } : {}) })
  return {
    number,
    isUnderWay: false,
    isAbandoned: false,
    mayHaveHappened: failed?.[0] === 'unknown',
    reply: undefined,
    failure,
    ...fate,
  } as unknown as PublishRequest
}

const numbers = (requests: readonly PublishRequest[]): number[] => requests.map(({ number }) => number)
const gap = (last: number): Fate => ({ reply: { status: 'gap', last } })

/** What is concluded from requests 6, 7 ... of a session that has confirmed 5. */
function conclude(...fates: Fate[]) {
  const verdict = judge(
    fates.map((fate, i) => request(6 + i, fate)),
    5,
  )
  const { again, hopeless, wait, ...rest } = verdict
  return { again: numbers(again), hopeless: numbers(hopeless), waits: wait?.reply, ...rest }
}

describe('what the answers of a producer prove', () => {
  it('a lost connection: nothing, so the same numbers are sent again in the same session', () => {
    expect(conclude({ failed: ['unknown'] }, { failed: ['unknown'] })).to.deep.equal({
      again: [6, 7],
      hopeless: [],
      waits: undefined,
      rolledBack: false,
      newSession: false,
      renumber: false,
    })
  })

  for (const reply of ['NOSCRIPT', 'BUSY', 'LOADING', 'READONLY', 'TRYAGAIN']) {
    it(`${reply} and the gap behind it: nothing happened, and the same is sent again after a while`, () => {
      expect(conclude({ failed: ['refused', reply] }, gap(5))).to.deep.include({
        again: [6, 7],
        hopeless: [],
        waits: reply,
        newSession: false,
      })
    })
  }

  it('OOM: its callers are told, and what follows closes the gap', () => {
    expect(conclude({ failed: ['refused', 'OOM'] }, gap(5), { failed: ['refused', 'OOM'] }, gap(5))).to.deep.include({
      again: [7, 9],
      hopeless: [6, 8],
      newSession: false,
      renumber: true,
    })
  })

  it('an error that answers a retry proves nothing about the first try', () => {
    expect(conclude({ mayHaveHappened: true, failed: ['refused', 'OOM'] }, gap(5))).to.deep.include({
      again: [6, 7],
      hopeless: [],
      newSession: false,
    })
  })

  it('a server below what it confirmed was rolled back: all that is unanswered is sent again in a new session', () => {
    expect(conclude({ failed: ['unknown'] }, gap(3))).to.deep.include({
      again: [6, 7],
      rolledBack: true,
      newSession: true,
    })
    expect(conclude({ reply: { status: 'unknown' } })).to.deep.include({
      again: [6],
      rolledBack: true,
      newSession: true,
    })
  })

  it('a gap at what it confirmed is none', () => {
    expect(conclude(gap(5))).to.deep.include({ again: [6], rolledBack: false, newSession: false })
  })

  it('after a request that may have happened and was given up, none that may have happened is sent under another number', () => {
    expect(
      conclude({ isAbandoned: true, mayHaveHappened: true }, { failed: ['unknown'] }, { failed: ['unsent'] }),
    ).to.deep.include({ again: [8], hopeless: [7], newSession: true })
  })

  it('a request that was given up and cannot have happened only leaves its number to the next', () => {
    expect(conclude({ isAbandoned: true, failed: ['refused', 'READONLY'] }, gap(5))).to.deep.include({
      again: [7],
      hopeless: [],
      newSession: false,
      renumber: true,
    })
  })

  it('a number that was refused is not used again while a later one may still arrive', () => {
    expect(conclude({ failed: ['refused', 'OOM'] }, { failed: ['unknown'] })).to.deep.include({
      again: [],
      hopeless: [6, 7],
      newSession: true,
    })
  })

  it('a script that raised: its callers are told, and its session is trusted no more', () => {
    expect(conclude({ failed: ['failed', 'WRONGTYPE'] }, gap(5))).to.deep.include({
      again: [7],
      hopeless: [6],
      newSession: true,
    })
  })
})
