import { expect } from 'chai'
import { Backlog } from '../../packages/bus/src/consume/backlog.js'
import { HandlerPace } from '../../packages/bus/src/consume/lookahead.js'
import { Processor, type ProcessorHost } from '../../packages/bus/src/consume/processor.js'
import { checkConsumeOptions } from '../../packages/bus/src/consume/settings.js'
import { Settler } from '../../packages/bus/src/consume/settler.js'
import { SuspectTurn } from '../../packages/bus/src/consume/suspects.js'
import { Watching } from '../../packages/bus/src/consume/watching.js'
import { BuswayError } from '../../packages/bus/src/errors/index.js'
import { composePipeline } from '../../packages/bus/src/plugins/pipeline.js'
import type { AnyHandler, Publisher } from '../../packages/bus/src/seams.js'
import { LogLines } from '../support/log-lines.js'
import { Gate, Received } from '../support/received.js'
import { FakeRunner, FakeServer } from './fake-server.js'
import { heldRange, type RangeOptions, silent } from './held.js'

function processing(handler: AnyHandler, options: object, suspects = new SuspectTurn()) {
  const { logger } = new LogLines()
  const pipeline = composePipeline([], logger, false)
  const settings = checkConsumeOptions('test', options, pipeline)
  const backlog = new Backlog()
  const settler = new Settler(silent)
  const progressed = new Received<number>()
  const refused = new Received<string>()
  const host: ProcessorHost = {
    progressed() {
      progressed.add(settler.unsent)
      setImmediate(() => processor.start())
    },
    refill: () => {},
    abandoned: () => {},
    mayBring: () => false,
    refused: ({ outcome }) => refused.add(outcome.kind),
  }
  const publisher = { stage: async (topic: string) => ({ topic, batch: { value: new Uint8Array() } }) }
  const subject = {
    topic: 'orders.paid',
    group: 'test',
    options: {},
    partitions: 1,
    publisher: publisher as unknown as Publisher,
    pipeline,
    watching: new Watching(new FakeRunner(new FakeServer(0)), 'orders.paid'),
    log: logger,
  }
  const processor = new Processor(
    subject,
    settings,
    { kind: 'message', handler },
    {
      backlog,
      pace: new HandlerPace(settings.concurrency),
      suspects,
      host,
      now: () => Date.now(),
    },
  )
  let lease = 0
  const receive = (range: RangeOptions) => {
    const held = heldRange({ settler, lease: ++lease, ...range })
    backlog.push(held)
    processor.start()
    return held
  }
  return { processor, settler, backlog, receive, progressed, refused }
}

describe('a processor', () => {
  describe('with a message that may have killed its process', () => {
    it('runs it while no other processor of its bus runs one, and what is beyond suspicion at any time', async () => {
      const turn = new SuspectTurn()
      const gates = [new Gate(), new Gate()] as const
      const started = new Received<string>()
      const [a, b] = gates.map((gate, i) =>
        processing(
          async ({ body }) => {
            started.add(`${'ab'[i]}${body}`)
            await gate.opened
          },
          { concurrency: 2 },
          turn,
        ),
      ) as [ReturnType<typeof processing>, ReturnType<typeof processing>]
      a.receive({ solo: true })
      await started.count(1)
      b.receive({ count: 1 })
      await started.count(2)
      gates[1].open()
      await b.progressed.count(1)
      b.receive({ solo: true })
      await new Promise((resolve) => setImmediate(resolve))
      expect(started.items, 'the second suspect waits').to.deep.equal(['a0', 'b0'])
      gates[0].open()
      expect(await started.count(3)).to.deep.equal(['a0', 'b0', 'b0'])
    })

    it('leaves the turn to others when it is closed while it runs', async () => {
      const turn = new SuspectTurn()
      const started = new Received<string>()
      const hangs = processing(() => new Promise<never>(() => started.add('hangs')), {}, turn)
      const other = processing(async () => started.add('other'), {}, turn)
      hangs.receive({ solo: true })
      await started.count(1)
      other.receive({ solo: true })
      hangs.processor.close()
      expect(await started.count(2)).to.deep.equal(['hangs', 'other'])
    })
  })

  it('runs at most concurrency handlers at once', async () => {
    const gate = new Gate()
    const started = new Received<number>()
    let most = 0
    let now = 0
    const { processor, receive, progressed } = processing(
      async () => {
        most = Math.max(most, ++now)
        started.add(most)
        await gate.opened
        now--
      },
      { concurrency: 3 },
    )
    receive({ count: 5 })
    // On a busy machine not all in one turn of the event loop.
    await started.count(3)
    processor.start()
    expect([processor.running, most]).to.deep.equal([3, 3])
    gate.open()
    await progressed.count(5)
    expect(most).to.equal(3)
  })

  it('runs a suspect with nothing beside it', async () => {
    const gates = [new Gate(), new Gate(), new Gate()]
    const started = new Received<unknown>()
    let runs = 0
    const { processor, receive, progressed } = processing(
      async ({ body }) => {
        started.add(body)
        await gates[runs++]?.opened
      },
      { concurrency: 3 },
    )
    receive({})
    receive({ solo: true })
    receive({})
    expect(processor.running).to.equal(1)
    gates[0]?.open()
    await progressed.count(1)
    processor.start()
    await started.count(2)
    expect(processor.running).to.equal(1)
    gates[1]?.open()
    await progressed.count(2)
    processor.start()
    await started.count(3)
    gates[2]?.open()
    await progressed.count(3)
  })

  it('runs what ran before a crash no further ahead than its settles are confirmed', async () => {
    const { processor, settler, receive, backlog, progressed } = processing(() => {}, { concurrency: 2 })
    const aTurn = () => new Promise((resolve) => setImmediate(resolve))
    receive({ count: 6, again: true })
    await progressed.count(2)
    await aTurn()
    expect([settler.unsent, backlog.size]).to.deep.equal([2, 4])
    const shipment = settler.take()
    processor.start()
    await aTurn()
    expect(backlog.size).to.equal(4)
    settler.confirm(shipment)
    processor.start()
    await progressed.count(4)
    await aTurn()
    expect(backlog.size).to.equal(2)
  })

  it('lets the event loop have its turn between handlers that never wait', async () => {
    const { receive, progressed } = processing(
      () => {
        const until = performance.now() + 1
        while (performance.now() < until);
      },
      { concurrency: 1 },
    )
    const turns: number[] = []
    const turn = setInterval(() => turns.push(progressed.items.length), 1)
    receive({ count: 50 })
    await progressed.count(50)
    clearInterval(turn)
    expect(turns.length).to.be.greaterThan(3)
  })

  it('goes on after a handler that throws without waiting', async () => {
    const { settler, receive, progressed } = processing(
      ({ body }) => {
        if (body === 1) throw new Error('no')
      },
      { concurrency: 1 },
    )
    receive({ count: 3 })
    await progressed.count(3)
    const { acks, settles } = settler.take()
    expect(acks).to.deep.equal([
      { lease: 1, from: 0, count: 1 },
      { lease: 1, from: 2, count: 1 },
    ])
    expect(settles.map(({ outcome, index }) => [outcome, index])).to.deep.equal([['retry', 1]])
  })

  it('settles nothing of a session that is lost, and publishes nothing', async () => {
    const gate = new Gate()
    const codes = new Received<unknown>()
    const { processor, settler, receive, refused } = processing(
      async (_message, { publish, signal }) => {
        await gate.opened
        codes.add(signal.aborted && signal.reason.code)
        await publish('orders.other', 1).catch((error) => codes.add(error.code))
      },
      { concurrency: 1 },
    )
    receive({})
    processor.lost(settler, new BuswayError('LEASE_LOST', 'lost'))
    settler.lose(() => {})
    gate.open()
    expect(await refused.count(1)).to.deep.equal(['done'])
    expect(codes.items).to.deep.equal(['LEASE_LOST', 'LEASE_LOST'])
    expect(settler.sendable).to.equal(0)
    processor.close()
  })

  it('publishes with the settle what a handler staged, whether it awaited it or not', async () => {
    const { settler, receive, progressed } = processing(
      (_message, { publish }) => {
        void publish('orders.other', 1)
        void publish('orders.more', 2)
      },
      { concurrency: 1 },
    )
    receive({})
    await progressed.count(1)
    const [settle] = settler.take().settles
    expect(settle).to.have.property('outcome', 'done')
    expect((settle as unknown as { staged: { topic: string }[] }).staged.map(({ topic }) => topic)).to.deep.equal([
      'orders.other',
      'orders.more',
    ])
  })
})

describe('a cancelled message that a consumer holds', () => {
  const waiting = (options: object) => {
    const gate = new Gate()
    const started = new Received<string>()
    const handler: AnyHandler = async ({ body }, { signal }) => {
      started.add(String(body))
      await Promise.race([
        gate.opened,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ])
    }
    return { ...processing(handler, options), gate, started }
  }
  const settles = (settler: Settler) =>
    settler
      .take()
      .settles.map((settle) => [settle.lease, settle.index, 'reason' in settle ? settle.reason : settle.outcome])

  it('ends unstarted, and those around it run', async () => {
    const { processor, settler, backlog, receive, gate, started } = waiting({ concurrency: 1 })
    const first = receive({ count: 4 })
    const second = receive({ count: 1 })
    await started.count(1)
    processor.cancel(first, 2)
    processor.cancel(second, 0)
    expect(backlog.size).to.equal(2)
    expect(settles(settler)).to.deep.equal([
      [1, 2, 'cancelled'],
      [2, 0, 'cancelled'],
    ])
    processor.cancel(first, 2)
    expect(settles(settler), 'a second time').to.deep.equal([])
    gate.open()
    expect(await started.count(3)).to.deep.equal(['0', '1', '3'])
  })

  it('lets the next of its key run, wherever it stood in the line', async () => {
    const { processor, settler, backlog, receive, gate, started } = waiting({ concurrency: 4 })
    receive({ key: 'other' })
    const first = receive({ count: 3, key: 'k' })
    const second = receive({ count: 1, key: 'k' })
    const third = receive({ count: 2, key: 'k' })
    await started.count(2)
    processor.cancel(second, 0)
    processor.cancel(first, 1)
    processor.cancel(third, 0)
    expect([backlog.size, backlog.behind]).to.deep.equal([2, 2])
    expect(settles(settler)).to.have.length(3)
    gate.open()
    expect(await started.count(4)).to.deep.equal(['0', '0', '2', '1'])
  })

  it('lets the next of its key run where it was its first', async () => {
    const { processor, settler, receive, started } = waiting({ concurrency: 1 })
    const running = receive({})
    const first = receive({ key: 'k' })
    receive({ key: 'k', count: 1 })
    await started.count(1)
    processor.cancel(first, 0)
    processor.cancel(running, 0)
    await started.count(2)
    expect(settles(settler)).to.deep.include([2, 0, 'cancelled'])
  })

  it('is aborted if it runs, and is no retry', async () => {
    const { processor, settler, receive, started, progressed } = waiting({ concurrency: 2, retry: { attempts: 9 } })
    const range = receive({ count: 2 })
    await started.count(2)
    processor.cancel(range, 1)
    await progressed.count(1)
    expect(settles(settler)).to.deep.equal([[1, 1, 'cancelled']])
    expect(processor.running).to.equal(1)
  })
})
