import { expect } from 'chai'
import fc from 'fast-check'
import { ask, giveBackAfterMs, HandlerPace, HOLD_CAP, holdTarget } from '../../packages/bus/src/consume/lookahead.js'

const ten = { concurrency: 10, lookaheadMs: 50 }

describe('lookahead', () => {
  it('holds only what can start at once, until a handler was measured', () => {
    expect(holdTarget(ten, undefined)).to.equal(10)
  })

  it('holds nothing ahead for a slow handler', () => {
    expect(holdTarget(ten, 1_000)).to.equal(10)
    expect(ask(ten, 1_000, 9)).to.equal(1)
    expect(ask(ten, 1_000, 10)).to.equal(0)
  })

  it('holds as much as is worked off in its time', () => {
    expect(holdTarget(ten, 5)).to.equal(20)
    expect(holdTarget({ ...ten, lookaheadMs: 100 }, 5)).to.equal(30)
  })

  it('holds nothing ahead if it is 0', () => {
    expect(holdTarget({ ...ten, lookaheadMs: 0 }, 0.001)).to.equal(10)
  })

  it('asks in large batches for a fast handler', () => {
    expect(ask(ten, 0.001, 1_000)).to.equal(0)
    expect(ask(ten, 0.001, 511)).to.equal(0)
    expect(ask(ten, 0.001, 510)).to.equal(500)
  })

  it('never holds more than its bound, nor asks for more than fits', () => {
    const lookaheads = fc.record({ concurrency: fc.integer({ min: 1, max: 10_000 }), lookaheadMs: fc.nat(10_000) })
    const paces = fc.option(fc.double({ min: 0, max: 10_000, noNaN: true }), { nil: undefined })
    fc.assert(
      fc.property(lookaheads, paces, fc.nat(20_000), (lookahead, pace, held) => {
        const wanted = ask(lookahead, pace, held)
        const target = holdTarget(lookahead, pace)
        expect(target).to.be.within(lookahead.concurrency, lookahead.concurrency + HOLD_CAP)
        expect(wanted).to.be.within(0, HOLD_CAP)
        if (wanted > 0) expect(held + wanted).to.be.at.most(target)
        // With nothing held it always asks: no consumer starves.
        expect(ask(lookahead, pace, 0)).to.be.greaterThan(0)
      }),
    )
  })

  it('measures what the slots do together, and one at a time for handlers that do not wait', () => {
    const waiting = new HandlerPace(10)
    waiting.observe(100, true)
    expect(waiting.perMessageMs).to.equal(10)
    const busy = new HandlerPace(10)
    busy.observe(100, false)
    expect(busy.perMessageMs).to.equal(100)
  })

  it('follows a handler that changes its pace, and learns from runs that do not end', () => {
    const pace = new HandlerPace(1)
    pace.observe(1, true)
    for (let i = 0; i < 60; i++) pace.observe(100, true)
    expect(pace.perMessageMs).to.be.greaterThan(95)
    pace.observeAtLeast(1_000)
    expect(pace.perMessageMs).to.equal(1_000)
    pace.observeAtLeast(10)
    expect(pace.perMessageMs).to.equal(1_000)
  })

  it('gives back what waits for four times its time', () => {
    expect(giveBackAfterMs(ten)).to.equal(200)
    expect(giveBackAfterMs({ ...ten, lookaheadMs: 0 })).to.be.greaterThan(0)
  })
})
