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
    expect(settler.take().settles).to.have.length(1)
    expect(settler.take().settles).to.have.length(1)
    const result = 'x'.repeat(400_000)
    for (let i = 603; i < 606; i++) settler.tell(range, i, { lease: range.lease, index: i, outcome: 'done', result })
    expect(settler.take().settles).to.have.length(2)
    expect([settler.take().settles.length, settler.unsent]).to.deep.equal([1, 0])
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

  describe('of a batch that publishes', () => {
    const staged = [{ topic: 'b', batch: { value: new Uint8Array(1) } }]
    const indexes = (settles: readonly { index: number; outcome: string }[]) =>
      settles.map(({ index, outcome }) => `${outcome} ${index}`).sort()

    it('sends nothing before all have ended, then all at once, with the publishes once', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, lease: 7, count: 5 })
      const together = settler.together(5, staged)
      for (const index of [3, 0, 1]) together.done(range, index)
      together.tell(range, 2, retry(range, 2))
      expect([settler.unsent, settler.sendable, settler.unended]).to.deep.equal([4, 0, 1])
      expect(settler.take().size).to.equal(0)
      together.done(range, 4)
      expect(settler.sendable).to.equal(5)
      const shipment = settler.take()
      expect(shipment.publishing).to.equal(true)
      expect(shipment.acks).to.deep.equal([
        { lease: 7, from: 0, count: 2 },
        { lease: 7, from: 4, count: 1 },
      ])
      expect(indexes(shipment.settles)).to.deep.equal(['done 3', 'retry 2'])
      const carried = shipment.settles.map((settle) => (settle.outcome === 'done' ? settle.staged : undefined))
      expect(carried.filter((each) => each !== undefined)).to.deep.equal([staged])
      settler.confirm(shipment)
      expect(settler.unconfirmed).to.equal(0)
    })

    it('acknowledges by its lease alone what is all of a range', () => {
      const settler = new Settler(silent)
      const ranges = [1, 2].map((lease) => heldRange({ settler, lease, count: 3 }))
      const together = settler.together(6, staged)
      for (const range of ranges) for (const index of [0, 1, 2]) together.done(range, index)
      expect(settler.take().acks).to.deep.equal([{ lease: 1, from: 1, count: 2 }, { lease: 2 }])
    })

    it('adds to what one of its messages publishes by itself', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, count: 2 })
      const together = settler.together(2, staged)
      together.done(range, 0)
      together.tell(range, 1, publishing(range, 1))
      const [settle, ...others] = settler.take().settles
      expect(others).to.deep.equal([])
      expect(settle).to.have.property('staged').with.length(2)
    })

    it('publishes nothing if none is done', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, count: 2 })
      const together = settler.together(2, staged)
      for (const index of [0, 1]) together.tell(range, index, retry(range, index))
      const shipment = settler.take()
      expect([shipment.publishing, shipment.size]).to.deep.equal([false, 2])
    })

    it('keeps it together while Redis is full, and when it is sent again', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, count: 4 })
      const together = settler.together(3, staged)
      together.done(range, 0)
      together.tell(range, 1, retry(range, 1))
      together.done(range, 2)
      settler.giveBack(settler.take())
      settler.holdPublishing(true)
      settler.done(range, 3)
      expect([settler.sendable, settler.heldBack, settler.unconfirmedEnds]).to.deep.equal([1, 3, 1])
      const other = settler.take()
      expect([other.publishing, other.size]).to.deep.equal([false, 1])
      settler.confirm(other)
      settler.holdPublishing(false)
      const shipment = settler.take()
      expect([shipment.publishing, shipment.size]).to.deep.equal([true, 3])
    })

    it('goes whole in one request, however many outcomes it has, and the rest in the next', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, count: 1_000 })
      const together = settler.together(900, staged)
      together.done(range, 0)
      for (let i = 1; i < 900; i++) together.tell(range, i, retry(range, i))
      for (let i = 900; i < 1_000; i++) settler.tell(range, i, retry(range, i))
      expect([settler.take(), settler.take()].map(({ size }) => size)).to.deep.equal([900, 100])
    })

    it('waits no longer for messages that hang once time is up, and settles them by themselves', () => {
      const settler = new Settler(silent)
      const range = heldRange({ settler, count: 3 })
      const together = settler.together(3, staged)
      together.tell(range, 0, retry(range, 0))
      // Nothing that is done could take the publishes along.
      settler.hurry()
      expect(settler.sendable).to.equal(0)
      together.done(range, 1)
      settler.hurry()
      expect(settler.take().size).to.equal(2)
      together.done(range, 2)
      expect(settler.take().acks).to.deep.equal([{ lease: 1, from: 2, count: 1 }])
    })

    it('tells observers of all of it, or that it was refused', () => {
      const confirmed: unknown[] = []
      const ended = (result: number) => ({
        run: undefined as never,
        outcome: { kind: 'done', result } as const,
        runMs: 1,
      })
      const settler = new Settler({ ...silent, confirmed: ({ outcome }) => confirmed.push(outcome) })
      const range = heldRange({ settler, count: 4 })
      const together = settler.together(2, staged)
      for (const index of [0, 1]) together.done(range, index, ended(index))
      settler.confirm(settler.take())
      expect(confirmed).to.have.deep.members([0, 1].map((index) => ended(index).outcome))
      settler.together(2, staged).done(range, 2, ended(2))
      const refused: unknown[] = []
      expect(settler.lose(({ outcome }) => refused.push(outcome))).to.equal(1)
      expect(refused).to.deep.equal([ended(2).outcome])
    })
  })

  it('tells observers whether what is refused had been sent, and may have been applied', () => {
    const ended = () => ({ run: undefined as never, outcome: { kind: 'done', result: undefined } as const, runMs: 1 })
    const settler = new Settler(silent)
    const range = heldRange({ settler, count: 4 })
    const [acked, told, unsent] = [ended(), ended(), ended()]
    settler.done(range, 0, acked)
    settler.tell(range, 1, { lease: 1, index: 1, outcome: 'retry', delayMs: 0, counted: true, error: '{}' }, told)
    const shipment = settler.take()
    settler.done(range, 2, unsent)
    settler.doubt(shipment)
    settler.giveBack(shipment)
    const refused: unknown[] = []
    settler.lose((each) => refused.push(each))
    expect(refused).to.have.members([acked, told, unsent])
    expect([acked, told, unsent].map((each) => 'isUnanswered' in each)).to.deep.equal([true, true, false])
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
        fc.record({ do: fc.constant('batch' as const), size: fc.integer({ min: 1, max: 5 }), failing: fc.nat(31) }),
        fc.record({ do: fc.constant('release' as const), pick: fc.nat() }),
        fc.record({ do: fc.constant('hold' as const), held: fc.boolean() }),
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
        const batches: string[][] = []
        let underWay: Shipment[] = []
        const apply = (shipment: Shipment) => {
          const before = settled.length
          for (const { lease, from = 0, count } of [...shipment.acks, ...shipment.releases]) {
            const size = count ?? (ranges[lease] as HeldRange).count
            for (let i = 0; i < size; i++) settled.push(`${lease}:${from + i}`)
          }
          for (const { lease, index } of shipment.settles) settled.push(`${lease}:${index}`)
          const inOne = new Set(settled.slice(before))
          for (const batch of batches) {
            const among = batch.filter((message) => inOne.has(message))
            expect(among.length).to.be.oneOf([0, batch.length])
          }
          settler.confirm(shipment)
        }
        const start = () => {
          for (const range of ranges) {
            const index = range.takeNext()
            if (index >= 0) running.push({ range, index })
          }
        }
        let messages = 0
        for (const step of plan) {
          if (step.do === 'receive') {
            const range = heldRange({ settler, lease: ranges.length, count: step.count })
            messages += step.count
            ranges.push(range)
          } else if (step.do === 'end') {
            start()
            const [run] = running.splice(step.pick % Math.max(1, running.length), 1)
            if (run === undefined) continue
            if (step.how === 'done') settler.done(run.range, run.index)
            else settler.tell(run.range, run.index, (step.how === 'retry' ? retry : publishing)(run.range, run.index))
          } else if (step.do === 'batch') {
            start()
            const members = running.splice(0, step.size)
            const together = settler.together(members.length, [{ topic: 'b', batch: { value: new Uint8Array(1) } }])
            members.forEach(({ range, index }, i) => {
              if (step.failing & (1 << i)) together.tell(range, index, retry(range, index))
              else together.done(range, index)
            })
            const isDone = members.some((_, i) => !(step.failing & (1 << i)))
            if (isDone) batches.push(members.map(({ range, index }) => `${range.lease}:${index}`))
          } else if (step.do === 'hold') settler.holdPublishing(step.held)
          else if (step.do === 'release') {
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
        settler.holdPublishing(false)
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
