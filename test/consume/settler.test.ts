import { expect } from 'chai'
import fc from 'fast-check'
import type { HeldRange } from '../../packages/bus/src/consume/held-range.js'
import { Settler, type Shipment } from '../../packages/bus/src/consume/settler.js'
import { heldRange, silent } from './held.js'

const retry = (range: HeldRange, index: number) =>
  ({ lease: range.lease, index, outcome: 'retry', delayMs: 1, counted: true, error: '{}' }) as const

const publishing = (range: HeldRange, index: number, bytes = 1) =>
  ({
    lease: range.lease,
    index,
    outcome: 'done',
    staged: [{ topic: 'b', batch: { value: new Uint8Array(bytes) } }],
  }) as const

describe('a settler', () => {
  it('acknowledges a whole range by its lease alone', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, lease: 7, count: 3, from: 5 })
    for (const index of [2, 0, 1]) settler.done(range, index)
    expect(settler.take().acks).to.deep.equal([{ lease: 7 }])
  })

  it('acknowledges parts by their positions in the batch', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, lease: 7, count: 6, from: 5 })
    for (const index of [0, 1, 4]) settler.done(range, index)
    expect(settler.take().acks).to.deep.equal([
      { lease: 7, from: 5, count: 2 },
      { lease: 7, from: 9, count: 1 },
    ])
    for (const index of [2, 3, 5]) settler.done(range, index)
    expect(settler.take().acks).to.deep.equal([
      { lease: 7, from: 7, count: 2 },
      { lease: 7, from: 10, count: 1 },
    ])
  })

  it('does not acknowledge what Redis said is done already', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, count: 3, skip: [1] })
    expect(settler.unconfirmed).to.equal(2)
    expect([range.takeNext(), range.takeNext(), range.takeNext()]).to.deep.equal([0, 2, -1])
    settler.done(range, 0)
    settler.done(range, 2)
    expect(settler.take().size).to.equal(2)
  })

  it('releases what was not started, as one part', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, lease: 3, count: 5 })
    range.takeNext()
    expect(settler.release(range)).to.equal(4)
    expect(settler.take().releases).to.deep.equal([{ lease: 3, from: 1, count: 4 }])
  })

  it('bounds the outcomes and the bytes of one request', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, count: 1_000 })
    for (let i = 0; i < 600; i++) settler.tell(range, i, retry(range, i))
    expect(settler.take().settles).to.have.length(500)
    expect(settler.take().settles).to.have.length(100)
    for (let i = 600; i < 603; i++) settler.tell(range, i, publishing(range, i, 700_000))
    expect(settler.take().settles).to.have.length(1)
  })

  it('lets the others go on while Redis is too full for settles that publish', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, count: 3 })
    settler.tell(range, 0, publishing(range, 0))
    const refused = settler.take()
    expect(refused.publishing).to.equal(true)
    settler.giveBack(refused)
    settler.holdPublishing(true)
    settler.tell(range, 1, retry(range, 1))
    expect([settler.sendable, settler.heldBack]).to.deep.equal([1, 1])
    const other = settler.take()
    expect([other.publishing, other.size]).to.deep.equal([false, 1])
    settler.holdPublishing(false)
    expect(settler.take().publishing).to.equal(true)
  })

  it('tells observers once, when Redis confirmed it', () => {
    const confirmed: unknown[] = []
    const settler = new Settler({ ...silent, confirmed: (ended) => confirmed.push(ended) })
    const range = heldRange({ settler, count: 2 })
    const ended = { run: undefined as never, outcome: { kind: 'done', result: 1 } as const, runMs: 1 }
    settler.done(range, 0, ended)
    const lost = settler.take()
    settler.giveBack(lost)
    expect(confirmed).to.have.length(0)
    settler.confirm(settler.take())
    expect(confirmed).to.deep.equal([ended])
  })

  it('knows that messages which ran before are held, until they are settled', () => {
    const settler = new Settler(silent)
    const range = heldRange({ settler, again: true })
    expect(settler.isAtRisk).to.equal(true)
    settler.done(range, 0)
    settler.confirm(settler.take())
    expect(settler.isAtRisk).to.equal(false)
  })

  it('settles every message exactly once, whatever is confirmed, lost or sent again', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('receive' as const), count: fc.integer({ min: 1, max: 6 }) }),
        fc.record({
          do: fc.constant('end' as const),
          how: fc.constantFrom('done', 'retry', 'publish'),
          pick: fc.nat(),
        }),
        fc.record({ do: fc.constant('release' as const), pick: fc.nat() }),
        fc.record({ do: fc.constant('take' as const) }),
        fc.record({ do: fc.constant('confirm' as const) }),
        fc.record({ do: fc.constant('lose' as const) }),
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, (plan) => {
        const settled: string[] = []
        const gone: number[] = []
        const settler = new Settler({ ...silent, rangeSettled: (range) => gone.push(range.lease) })
        const ranges: HeldRange[] = []
        const running: { range: HeldRange; index: number }[] = []
        let underWay: Shipment[] = []
        const apply = (shipment: Shipment) => {
          for (const { lease, from = 0, count } of [...shipment.acks, ...shipment.releases]) {
            const size = count ?? (ranges[lease] as HeldRange).count
            for (let i = 0; i < size; i++) settled.push(`${lease}:${from + i}`)
          }
          for (const { lease, index } of shipment.settles) settled.push(`${lease}:${index}`)
          settler.confirm(shipment)
        }
        let messages = 0
        for (const step of plan) {
          if (step.do === 'receive') {
            const range = heldRange({ settler, lease: ranges.length, count: step.count })
            messages += step.count
            ranges.push(range)
          } else if (step.do === 'end') {
            for (const range of ranges) {
              const index = range.takeNext()
              if (index >= 0) running.push({ range, index })
            }
            const [run] = running.splice(step.pick % Math.max(1, running.length), 1)
            if (run === undefined) continue
            if (step.how === 'done') settler.done(run.range, run.index)
            else settler.tell(run.range, run.index, (step.how === 'retry' ? retry : publishing)(run.range, run.index))
          } else if (step.do === 'release') {
            const range = ranges[step.pick % Math.max(1, ranges.length)]
            if (range !== undefined) settler.release(range)
          } else if (step.do === 'take') underWay.push(settler.take())
          else if (step.do === 'confirm') {
            const first = underWay.shift()
            if (first !== undefined) apply(first)
          } else {
            for (const shipment of underWay.toReversed()) settler.giveBack(shipment)
            underWay = []
          }
          expect(settler.unsent).to.be.at.least(0)
          expect(settler.unended).to.be.at.least(running.length)
        }
        for (const shipment of underWay) apply(shipment)
        for (const { range, index } of running) settler.done(range, index)
        for (const range of ranges) settler.release(range)
        while (settler.sendable > 0) apply(settler.take())
        expect(new Set(settled).size).to.equal(settled.length)
        expect(settled.length).to.equal(messages)
        expect(settler.unconfirmed).to.equal(0)
        expect(gone.sort((a, b) => a - b)).to.deep.equal(ranges.map(({ lease }) => lease))
      }),
      { numRuns: 300 },
    )
  })
})
