import { expect } from 'chai'
import fc from 'fast-check'
import type { BatchRun } from '../../packages/bus/src/consume/batch-run.js'
import { Gatherer, type GathererHost, type GathererOptions } from '../../packages/bus/src/consume/gatherer.js'
import { ReceivedMessage } from '../../packages/bus/src/consume/received-message.js'
import { Run } from '../../packages/bus/src/consume/run.js'
import { Watching } from '../../packages/bus/src/consume/watching.js'
import { BuswayError } from '../../packages/bus/src/errors/index.js'
import { composePipeline } from '../../packages/bus/src/plugins/pipeline.js'
import type { Publisher } from '../../packages/bus/src/seams.js'
import { FakeClock } from '../support/fake-clock.js'
import { LogLines } from '../support/log-lines.js'
import { heldRange } from './held.js'

function gathering(options: Partial<GathererOptions> = {}, host: Partial<GathererHost> = {}) {
  const { logger } = new LogLines()
  const subject = {
    topic: 'orders.paid',
    group: 'test',
    options: {},
    partitions: 1,
    publisher: {} as Publisher,
    pipeline: composePipeline([], logger, false),
    watching: new Watching({ run: () => Promise.reject(new Error('no Redis here')) }, 'orders.paid'),
    log: logger,
  }
  const clock = new FakeClock()
  const batches: BatchRun[] = []
  const failures: { index: number; error: unknown }[] = []
  const gatherer = new Gatherer(
    subject,
    { size: 3, waitMs: 50, concurrency: 1, ...options },
    {
      take: () => {},
      canTake: () => false,
      mayBring: () => false,
      isShut: () => false,
      isExpired: () => false,
      run: (batch) => batches.push(batch),
      ...host,
    },
    clock,
  )
  const range = heldRange({ count: 200 })
  /** Deliveries that are on their way. */
  const take = (count: number): Run[] =>
    Array.from({ length: count }, () => {
      const index = range.takeNext()
      const run = new Run(subject, new ReceivedMessage(subject.topic, range, index), range, index)
      run.startedMs = clock.nowMs()
      gatherer.taken(run)
      return run
    })
  const gather = (...runs: Run[]): void => {
    for (const run of runs)
      gatherer.gather(run, (_member, _result, failure) => failure && failures.push({ index: run.index, ...failure }))
  }
  const end = (batch: BatchRun | undefined): void => {
    if (batch === undefined) return
    for (const run of batch.runs) gatherer.ended(run)
    gatherer.batchEnded(batch)
  }
  const indexes = (): number[][] => batches.map(({ runs }) => runs.map(({ index }) => index))
  return { gatherer, clock, batches, failures, take, gather, end, indexes }
}

const aborted = (code: 'BUS_CLOSED' | 'LEASE_LOST' | 'HANDLER_TIMEOUT') => new BuswayError(code, 'enough')

describe('a batch that gathers', () => {
  it('runs as soon as it is full, and leaves no timer behind', () => {
    const { clock, take, gather, indexes } = gathering()
    gather(...take(2))
    clock.advance(49)
    expect(indexes()).to.deep.equal([])
    gather(...take(1))
    expect(indexes()).to.deep.equal([[0, 1, 2]])
    expect(clock.set).to.equal(0)
  })

  it('runs with what has come once the first has waited long enough', () => {
    const { clock, take, gather, indexes } = gathering()
    gather(...take(1))
    clock.advance(30)
    gather(...take(1))
    clock.advance(19)
    expect(indexes()).to.deep.equal([])
    clock.advance(1)
    expect(indexes()).to.deep.equal([[0, 1]])
    expect(clock.set).to.equal(0)
  })

  it('with no time to wait takes what comes in this turn of the event loop', () => {
    const { clock, take, gather, indexes } = gathering({ waitMs: 0 })
    gather(...take(1))
    gather(...take(1))
    expect(indexes()).to.deep.equal([])
    clock.advance(0)
    expect(indexes()).to.deep.equal([[0, 1]])
  })

  it('takes what is here already before it runs with less than it may have', () => {
    let there = 2
    const parts = gathering(
      {},
      {
        canTake: () => there > 0,
        take: () => {
          there--
          parts.gather(...parts.take(1))
        },
      },
    )
    parts.gather(...parts.take(1))
    parts.clock.advance(50)
    expect(parts.indexes()).to.deep.equal([[0, 1, 2]])
  })

  it('waits for what is being fetched, but for no longer than a fetch takes', () => {
    let mayBring = true
    const { gatherer, clock, take, gather, indexes } = gathering({ waitMs: 0 }, { mayBring: () => mayBring })
    gather(...take(1))
    clock.advance(5)
    gather(...take(1))
    expect([indexes(), clock.set]).to.deep.equal([[], 1])
    mayBring = false
    gatherer.review(true)
    expect([indexes(), clock.set]).to.deep.equal([[[0, 1]], 0])
  })

  it('does not wait for a fetch that takes long, or that had its time', () => {
    const slow = gathering({ waitMs: 0 }, { mayBring: () => true })
    slow.gather(...slow.take(1))
    slow.clock.advance(19)
    expect(slow.indexes()).to.deep.equal([])
    slow.clock.advance(1)
    expect(slow.indexes()).to.deep.equal([[0]])
    const patient = gathering({ waitMs: 50 }, { mayBring: () => true })
    patient.gather(...patient.take(1))
    patient.clock.advance(50)
    expect(patient.indexes()).to.deep.equal([[0]])
  })

  it('keeps no timer while nothing has come, or nothing may run', () => {
    const { clock, take, gather, end, batches, indexes } = gathering()
    const [first, ...others] = take(3)
    expect(clock.set).to.equal(0)
    gather(first as Run)
    clock.advance(50)
    gather(...others)
    expect(clock.set).to.equal(0)
    end(batches[0])
    expect(clock.set).to.equal(1)
    clock.advance(50)
    expect([indexes(), clock.set]).to.deep.equal([[[0], [1, 2]], 0])
  })

  it('has its messages in the order of delivery, in whichever they come', () => {
    const { take, gather, indexes } = gathering()
    const [a, b, c] = take(3) as [Run, Run, Run]
    gather(c, a, b)
    expect(indexes()).to.deep.equal([[0, 1, 2]])
  })

  it('takes another in the place of one that ends on its way', () => {
    const { gatherer, take, gather, indexes } = gathering()
    const [a, b, c] = take(3) as [Run, Run, Run]
    gather(a, c)
    expect(gatherer.hasRoom).to.equal(false)
    gatherer.ended(b)
    expect(gatherer.hasRoom).to.equal(true)
    expect(indexes()).to.deep.equal([])
    gather(...take(1))
    expect(indexes()).to.deep.equal([[0, 2, 3]])
  })

  it('does not wait for one that is on its way for longer, which comes into the next', () => {
    const { clock, take, gather, end, batches, indexes } = gathering()
    const [slow, a, b] = take(3) as [Run, Run, Run]
    gather(a, b)
    clock.advance(50)
    gather(slow)
    expect(indexes()).to.deep.equal([[1, 2]])
    clock.advance(60)
    end(batches[0])
    expect(indexes()).to.deep.equal([[1, 2], [0]])
  })

  it('takes no more than what may run, and has batches take their places whole', () => {
    const { gatherer, clock, take, gather, end, batches } = gathering({ concurrency: 2 })
    gather(...take(1))
    clock.advance(50)
    expect([gatherer.occupied, gatherer.hasRoom]).to.deep.equal([3, true])
    gather(...take(2))
    expect([gatherer.occupied, gatherer.hasRoom]).to.deep.equal([5, true])
    gather(...take(1))
    expect([gatherer.occupied, gatherer.hasRoom, batches.length]).to.deep.equal([6, false, 2])
    end(batches[1])
    expect([gatherer.occupied, gatherer.hasRoom]).to.deep.equal([3, true])
    end(batches[0])
    expect(gatherer.occupied).to.equal(0)
  })

  it('runs at once where nothing more will come', () => {
    let isShut = false
    const { gatherer, take, gather, indexes } = gathering({}, { isShut: () => isShut })
    const [a, b] = take(2) as [Run, Run]
    gather(a)
    isShut = true
    gatherer.review()
    expect(indexes()).to.deep.equal([])
    gather(b)
    expect(indexes()).to.deep.equal([[0, 1]])
  })

  it('runs without what expired while it waited', () => {
    const { clock, take, gather, failures, indexes } = gathering({}, { isExpired: ({ index }) => index !== 1 })
    const runs = take(2)
    gather(...runs)
    clock.advance(50)
    expect(indexes()).to.deep.equal([[1]])
    expect(failures.map(({ index }) => index)).to.deep.equal([0])
    expect(runs[0]?.member?.isExpired).to.equal(true)
  })

  describe('whose messages are aborted', () => {
    it('lets go of them before it runs, and takes none that comes later', () => {
      const { gatherer, clock, take, gather, failures, indexes } = gathering()
      const [a, b, c] = take(3) as [Run, Run, Run]
      gather(a, b)
      for (const run of [a, c]) {
        run.abort(aborted('LEASE_LOST'), 1)
        gatherer.aborted(run)
      }
      expect(() => gather(c)).to.throw('enough')
      expect(failures.map(({ index, error }) => [index, (error as BuswayError).code])).to.deep.equal([
        [0, 'LEASE_LOST'],
      ])
      clock.advance(50)
      expect(indexes()).to.deep.equal([[1]])
    })

    it('has them run elsewhere as if nothing had been if that is for a close', () => {
      const { gatherer, take, gather, failures } = gathering()
      const [a] = take(1) as [Run]
      gather(a)
      a.abort(aborted('BUS_CLOSED'), 1)
      gatherer.aborted(a)
      expect(failures[0]?.error).to.include({ code: 'RETRY_AFTER', countAttempt: false, delayMs: 0 })
    })

    it('is aborted itself once all of them are', () => {
      const { gatherer, take, gather, batches } = gathering()
      const runs = take(3)
      gather(...runs)
      const signal = batches[0]?.signal
      for (const [i, run] of runs.entries()) {
        run.abort(aborted('HANDLER_TIMEOUT'), 1)
        gatherer.aborted(run)
        expect(signal?.aborted).to.equal(i === 2)
      }
    })

    it('is aborted where all are that have not ended', () => {
      const { gatherer, take, gather, batches } = gathering()
      const [a, b, c] = take(3) as [Run, Run, Run]
      gather(a, b, c)
      for (const run of [a, b]) {
        run.abort(aborted('HANDLER_TIMEOUT'), 1)
        gatherer.aborted(run)
      }
      gatherer.ended(c)
      gatherer.ended(a)
      expect(batches[0]?.signal.aborted).to.equal(true)
    })

    it('is given up when all have ended without it, and its place is free', async () => {
      const { gatherer, take, gather, batches } = gathering()
      const runs = take(3)
      gather(...runs)
      expect(gatherer.hasRoom).to.equal(false)
      for (const run of runs) gatherer.ended(run)
      expect([batches[0]?.isGivenUp, gatherer.hasRoom, gatherer.occupied]).to.deep.equal([true, true, 0])
      const refusal = await batches[0]?.publish('orders.other', 1).catch((error) => error.code)
      expect(refusal).to.equal('LEASE_LOST')
    })
  })

  it('has every message in one batch, in order, whatever happens', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 5 }) }),
        fc.record({ do: fc.constant('come' as const), pick: fc.nat() }),
        fc.record({ do: fc.constant('end' as const), pick: fc.nat() }),
        fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 60 }) }),
        fc.record({ do: fc.constant('batch ends' as const), pick: fc.nat() }),
      ),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), (plan, size, concurrency) => {
        const running: BatchRun[] = []
        const batched: number[] = []
        const { gatherer, clock, take, gather, end } = gathering(
          { size, concurrency },
          {
            run: (batch) => {
              running.push(batch)
              const indexes = batch.runs.map(({ index }) => index)
              batched.push(...indexes)
              expect(indexes).to.deep.equal([...indexes].sort((a, b) => a - b))
              expect(indexes.length).to.be.within(1, size)
              expect(running.length).to.be.at.most(concurrency)
            },
          },
        )
        const coming: Run[] = []
        let gathered = 0
        let left = 150
        const pick = <T>(from: T[], at: number): T | undefined => from.splice(at % Math.max(1, from.length), 1)[0]
        for (const step of plan) {
          if (step.do === 'take') {
            for (let i = 0; i < step.count && gatherer.hasRoom && left-- > 0; i++) coming.push(...take(1))
          } else if (step.do === 'come') {
            const run = pick(coming, step.pick)
            if (run === undefined) continue
            gathered++
            gather(run)
          } else if (step.do === 'end') {
            const run = pick(coming, step.pick)
            if (run !== undefined) gatherer.ended(run)
          } else if (step.do === 'wait') clock.advance(step.ms)
          else end(pick(running, step.pick))
          const waiting = gathered - batched.length
          expect(waiting).to.be.lessThan(size * concurrency + 1)
          if (waiting === 0) expect(clock.set).to.equal(0)
          expect(gatherer.occupied).to.equal(coming.length + waiting + size * running.length)
          // Nothing that could run waits.
          if (waiting >= size) expect(running.length).to.equal(concurrency)
        }
        for (const run of coming.splice(0)) {
          gathered++
          gather(run)
        }
        while (batched.length < gathered) {
          clock.advance(50)
          end(running.shift())
        }
        expect(new Set(batched).size).to.equal(gathered)
        while (running.length > 0) end(running.shift())
        expect([gatherer.occupied, clock.set]).to.deep.equal([0, 0])
      }),
      { numRuns: 300 },
    )
  })
})
