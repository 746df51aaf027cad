import type { FetchedRange } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import type { HeldRange } from '../../packages/bus/src/consume/held-range.js'
import { ConsumerSession } from '../../packages/bus/src/consume/session.js'
import type { SessionEnd } from '../../packages/bus/src/consume/session-parts.js'
import { checkConsumeOptions } from '../../packages/bus/src/consume/settings.js'
import { Watching } from '../../packages/bus/src/consume/watching.js'
import { composePipeline } from '../../packages/bus/src/plugins/pipeline.js'
import { LogLines } from '../support/log-lines.js'
import { Received } from '../support/received.js'
import { FakeRunner, FakeServer, type Fate } from './fake-server.js'

interface Working {
  readonly session: ConsumerSession
  readonly server: FakeServer
  readonly runner: FakeRunner
  /** The message's lease and position, each time that it ran. */
  readonly ran: string[]
  readonly redelivered: string[]
  readonly settled: Received<number>
  /** `<lease>:<index>` of those that it was told to cancel. */
  readonly cancelled: string[]
}

/** A session whose messages are run as soon as they come, and end a moment later, some of them with a publish. */
function working(
  server: FakeServer,
  fates: readonly Fate[] = [],
  publishing: (index: number) => boolean = () => false,
  isLong: (range: HeldRange) => boolean = () => false,
): Working {
  const { logger } = new LogLines()
  const runner = new FakeRunner(server, fates)
  const ran: string[] = []
  const redelivered: string[] = []
  const cancelled: string[] = []
  const settled = new Received<number>()
  const end = (range: HeldRange, index: number): void => {
    if (range.held.settler.isLost) return
    if (publishing(index)) {
      const staged = [{ topic: 'b', batch: { value: new Uint8Array(1) } }]
      session.settler.tell(range, index, { lease: range.lease, index: range.from + index, outcome: 'done', staged })
    } else session.settler.done(range, index)
    session.pump()
  }
  const session: ConsumerSession = new ConsumerSession({
    id: 'busbusbu~1',
    topic: 'orders.paid',
    runner,
    settings: checkConsumeOptions('test', { concurrency: 7 }, composePipeline([], logger, false)),
    info: '{}',
    reopened: false,
    guards: {},
    takesPushes: true,
    watching: new Watching(runner, 'orders.paid'),
    owner: {
      room: (asked) => Math.max(0, 7 - session.settler.unended - asked),
      received(ranges) {
        for (const range of ranges) {
          for (let index = range.takeNext(); index >= 0; index = range.takeNext()) {
            ran.push(`${range.lease}:${index}`)
            if (range.held.redelivered) redelivered.push(`${range.lease}:${index}`)
            const at = index
            if (!isLong(range)) setImmediate(() => end(range, at))
          }
        }
      },
      confirmed: () => {},
      cancelled: (range, index) => cancelled.push(`${range.lease}:${index}`),
      recovered: () => {},
      limited: () => {},
      answered: () => settled.add(server.settled.length),
      outbox: () => {},
    },
    log: logger,
  })
  return { session, server, runner, ran, redelivered, settled, cancelled }
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const inOrder = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

/** Until everything is settled; answers how the session ended, if it did. */
async function settleAll({ session, server, settled }: Working, count: number): Promise<SessionEnd | undefined> {
  await session.open()
  const end = await Promise.race([
    session.ended,
    settled.until(() => server.settled.length >= count, `${count} settles`),
  ])
  if (end === undefined) await session.flushed()
  return end ?? undefined
}

describe('a consumer session', () => {
  it('runs and settles everything once', async () => {
    const work = working(new FakeServer(100))
    await settleAll(work, 100)
    expect(inOrder(work.server.settled)).to.deep.equal(all(100))
    expect(work.ran).to.have.length(100)
    await work.session.close([], 100)
  })

  it('is told of cancels of what it holds, or is about to, and of nothing that it has settled', async () => {
    const work = working(new FakeServer(5), [], undefined, (range) => range.lease === 2)
    const { session } = work
    // Before the answer that brings its lease.
    session.cancel({ lease: 2, index: 1 })
    await session.open()
    await work.settled.until(() => work.server.settled.length >= 3, 'what the first lease has')
    expect(work.cancelled).to.have.length(1)
    session.cancel({ lease: 1, index: 0 })
    expect(work.cancelled).to.have.length(1)
    session.cancel({ lease: 2, index: 1 })
    expect(work.cancelled).to.have.length(2)
    expect(new Set(work.cancelled).size).to.equal(1)
    await session.close([], 100)
  })

  const cases: Fate[] = ['request lost', 'reply lost', 'late', 'refused', 'noscript']
  const sayings: Record<Fate, string> = {
    answered: 'all is well',
    'request lost': 'a request is lost',
    'reply lost': 'a reply is lost',
    late: 'a request arrives after it was given up',
    refused: 'Redis is busy',
    noscript: 'Redis forgot its scripts',
  }
  for (const fate of cases) {
    it(`runs and settles everything once when ${sayings[fate]}`, async () => {
      for (const before of [0, 1, 2, 5]) {
        const work = working(new FakeServer(40), [...Array<Fate>(before).fill('answered'), fate])
        await settleAll(work, 40)
        expect(inOrder(work.server.settled)).to.deep.equal(all(40))
        expect(work.ran).to.have.length(40)
        await work.session.close([], 100)
      }
    })
  }

  it('runs, as redelivered, what was handed over in a reply that was lost', async () => {
    const work = working(new FakeServer(3), ['reply lost'])
    await settleAll(work, 3)
    expect(work.redelivered).to.deep.equal(work.ran)
    await work.session.close([], 100)
  })

  it('runs and settles everything once, whatever is lost, late or refused', async () => {
    const fates = fc.array(fc.constantFrom<Fate>('answered', 'answered', ...cases), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fates, fc.integer({ min: 1, max: 5 }), async (plan, perRange) => {
        const work = working(new FakeServer(30, perRange), plan, (index) => index === 1)
        await settleAll(work, 30)
        expect(inOrder(work.server.settled)).to.deep.equal(all(30))
        expect(new Set(work.ran).size).to.equal(work.ran.length)
        expect(work.ran).to.have.length(30)
        await work.session.close([], 100)
      }),
      { numRuns: 25, interruptAfterTimeLimit: 15_000 },
    )
  })

  describe('that is pushed messages', () => {
    const turns = async (count: number) => {
      for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
    }

    it('runs them in the order of their leases, though they overtake replies', async () => {
      const work = working(new FakeServer(0))
      await settleAll(work, 0)
      const first = work.server.publish(0)
      work.server.waits = true
      const second = work.server.publish(1)
      work.session.pushed(second as FetchedRange)
      expect(work.ran).to.deep.equal([])
      work.session.pushed(first as FetchedRange)
      expect(work.ran).to.deep.equal(['1:0', '2:0'])
      await work.settled.until(() => work.server.settled.length === 2, 'both')
      await work.session.close([], 100)
    })

    it('synchronizes where one does not arrive, and runs nothing twice if it comes after all', async () => {
      const work = working(new FakeServer(0))
      await settleAll(work, 0)
      const lost = work.server.publish(0) as FetchedRange
      work.session.wake()
      await work.settled.until(() => work.server.settled.length === 1, 'what was lost')
      work.session.pushed(lost)
      expect(work.ran).to.deep.equal(['1:0'])
      expect(work.redelivered).to.deep.equal(['1:0'])
      await work.session.close([], 100)
    })

    it('runs and settles everything once, whatever of it is late, lost or overtaken', async () => {
      const push = fc.record({ afterTurns: fc.nat(4), late: fc.nat(6), isLost: fc.nat(30).map((n) => n === 0) })
      const pushes = fc.array(push, { minLength: 1, maxLength: 25 })
      const fates = fc.array(fc.constantFrom<Fate>('answered', 'answered', 'answered', ...cases), { maxLength: 8 })
      await fc.assert(
        fc.asyncProperty(pushes, fates, async (plan, requests) => {
          const work = working(new FakeServer(0), requests)
          await settleAll(work, 0)
          // At most one of a run: each takes a quarter of a second.
          let mayLose = true
          for (const [message, { afterTurns, late, isLost }] of plan.entries()) {
            await turns(afterTurns)
            const range = work.server.publish(message)
            if (range === undefined) work.session.wake()
            else if (isLost && mayLose) {
              mayLose = false
              work.session.wake()
            } else void turns(late).then(() => work.session.pushed(range))
          }
          work.session.wake()
          await work.settled.until(() => work.server.settled.length === plan.length, 'all')
          expect(inOrder(work.server.settled)).to.deep.equal(all(plan.length))
          expect(new Set(work.ran).size).to.equal(work.ran.length)
          expect(work.ran).to.have.length(plan.length)
          await work.session.close([], 100)
        }),
        { numRuns: 40, interruptAfterTimeLimit: 15_000 },
      )
    })
  })

  it('lets settles that publish wait for memory, and the others go on', async () => {
    const server = new FakeServer(20)
    server.isFull = true
    const work = working(server, [], (index) => index === 0)
    await work.session.open()
    const { settler } = work.session
    await work.settled.until(
      () => settler.heldBack > 0 && server.settled.length + settler.heldBack === 20,
      'the others',
    )
    expect(server.settled.length).to.be.greaterThan(0)
    server.isFull = false
    await work.settled.until(() => server.settled.length === 20, 'all')
    await work.session.close([], 100)
  })

  it('ends when the server does not know it any more', async () => {
    const work = working(new FakeServer(1))
    await settleAll(work, 1)
    work.server.alive = false
    work.session.wake()
    expect(await work.session.ended).to.equal('lost')
  })

  it('ends when the server forgot what it had confirmed', async () => {
    const work = working(new FakeServer(20))
    await settleAll(work, 20)
    work.server.applied -= 1
    work.session.wake()
    expect(await work.session.ended).to.equal('rolled back')
  })

  it('ends when the server forgot a lease that it had given', async () => {
    const server = new FakeServer(3)
    const work = working(server, [], () => true)
    server.isFull = true
    await work.session.open()
    await work.settled.until(() => work.session.settler.heldBack === 3, 'the settles to be refused')
    server.leases.clear()
    server.isFull = false
    expect(await work.session.ended).to.equal('rolled back')
  })

  it('syncs when it has not seen a lease that it was given', async () => {
    const server = new FakeServer(3)
    const work = working(server)
    await settleAll(work, 3)
    server.leases.set(++server.lastLease, [7])
    work.session.wake()
    await work.settled.until(() => server.settled.includes(7), 'the lease that was not seen')
    expect(work.redelivered).to.have.length(1)
    await work.session.close([], 100)
  })

  it('does not keep Redis busy with what fails again and again', async () => {
    const server = new FakeServer(3)
    const work = working(server)
    await settleAll(work, 3)
    let calls = 0
    const { advance } = server
    server.advance = (request) => {
      if (++calls > 3) return advance.call(server, request)
      throw new Error('a script raised')
    }
    const beganMs = performance.now()
    work.session.wake()
    await work.settled.until(() => calls > 3, 'a request that succeeds')
    expect(performance.now() - beganMs).to.be.greaterThan(50)
    await work.session.close([], 100)
  })

  it('runs dry for a suspect only as long as the suspect waits', async () => {
    const server = new FakeServer(4, 1)
    server.drain = true
    const work = working(server, [], undefined, ({ lease }) => lease === 1)
    server.leases.set(++server.lastLease, [4])
    await work.session.open()
    await work.settled.until(() => work.ran.length === 1, 'the long run')
    work.session.wake()
    server.drain = false
    work.session.wake()
    await work.settled.until(() => server.settled.length === 4, 'the others')
    expect([...server.leases.keys()]).to.deep.equal([1])
    await work.session.close([], 100)
  })

  it('is over once it is closed, whatever it still waits for', async () => {
    const work = working(new FakeServer(3), ['answered', 'request lost'])
    await work.session.open()
    await work.session.close([], 100)
    expect(await work.session.ended).to.equal('closed')
    await work.session.flushed()
  })
})
