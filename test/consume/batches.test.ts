/** A processor with a batch handler: what a lost lease, a timeout or a close does to batches that gather and run. */
import type { BatchContext, HandleMiddleware, Message } from '@busway/bus'
import { expect } from 'chai'
import { Backlog } from '../../packages/bus/src/consume/backlog.js'
import { HandlerPace } from '../../packages/bus/src/consume/lookahead.js'
import { Processor } from '../../packages/bus/src/consume/processor.js'
import { checkConsumeOptions } from '../../packages/bus/src/consume/settings.js'
import { Settler } from '../../packages/bus/src/consume/settler.js'
import { SuspectTurn } from '../../packages/bus/src/consume/suspects.js'
import { Watching } from '../../packages/bus/src/consume/watching.js'
import { BuswayError } from '../../packages/bus/src/errors/index.js'
import { composePipeline } from '../../packages/bus/src/plugins/pipeline.js'
import type { Publisher } from '../../packages/bus/src/seams.js'
import { LogLines } from '../support/log-lines.js'
import { Gate, Received } from '../support/received.js'
import { heldRange, type RangeOptions, silent } from './held.js'

function processing(
  handler: (messages: readonly Message[], ctx: BatchContext) => unknown,
  options: {
    batch: { size: number; wait?: number | '1h' }
    concurrency?: number
    timeout?: number
    lease?: number
    use?: HandleMiddleware[]
  },
) {
  const { logger } = new LogLines()
  const pipeline = composePipeline([], logger, false)
  const settings = checkConsumeOptions('test', options, pipeline, 'batch')
  const backlog = new Backlog()
  const pace = new HandlerPace(settings.concurrency)
  const progressed = new Received<number>()
  const refused = new Received<string>()
  const publisher = { stage: async (topic: string) => ({ topic, batch: { value: new Uint8Array() } }) }
  const subject = {
    topic: 'orders.paid',
    group: 'test',
    options: {},
    partitions: 1,
    publisher: publisher as unknown as Publisher,
    pipeline,
    watching: new Watching({ run: () => Promise.reject(new Error('no Redis here')) }, 'orders.paid'),
    log: logger,
  }
  const processor = new Processor(
    subject,
    settings,
    { kind: 'batch', handler },
    {
      backlog,
      pace,
      suspects: new SuspectTurn(),
      host: {
        progressed() {
          progressed.add(1)
          setImmediate(() => processor.start())
        },
        refill: () => {},
        abandoned: () => {},
        mayBring: () => false,
        refused: ({ run }) => refused.add(`${run.message.body}`),
      },
      now: () => Date.now(),
    },
  )
  /** Resolves when so many run: on a busy machine not all start in one turn of the event loop. */
  const running = async (count: number) => {
    while (processor.running < count) await aTurn()
  }
  let lease = 0
  const session = () => {
    const settler = new Settler(silent)
    const receive = (range: RangeOptions) => {
      backlog.push(heldRange({ settler, lease: ++lease, ...range }))
      processor.start()
    }
    const lose = () => {
      backlog.takeOut(({ held }) => held.settler === settler)
      settler.lose(() => {})
      processor.lost(settler, new BuswayError('LEASE_LOST', 'lost'))
    }
    return { settler, receive, lose }
  }
  return { processor, pace, progressed, refused, running, session }
}

const bodies = (messages: readonly Message[]) => messages.map(({ body }) => body)
const aTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('a processor of batches', () => {
  it('runs nothing of a session that was lost while its batch gathered, and batches what the next one brings', async () => {
    const seen = new Received<unknown>()
    const { session, refused, running, progressed, processor } = processing((messages) => seen.add(bodies(messages)), {
      batch: { size: 3, wait: '1h' },
    })
    const first = session()
    first.receive({ count: 2 })
    await running(2)
    first.lose()
    expect(await refused.count(2)).to.deep.equal(['0', '1'])
    const second = session()
    second.receive({ count: 3 })
    expect(await seen.count(1)).to.deep.equal([[0, 1, 2]])
    await progressed.count(5)
    expect(processor.running).to.equal(0)
    expect(second.settler.take().acks).to.deep.equal([{ lease: 2 }])
    expect(first.settler.sendable).to.equal(0)
    processor.close()
  })

  it('refuses what a batch does whose session was lost while it ran', async () => {
    const gate = new Gate()
    const codes = new Received<unknown>()
    const { session, refused, running, processor } = processing(
      async (_messages, { signal, publish }) => {
        await gate.opened
        codes.add(signal.reason.code)
        await publish('orders.other', 1).catch((error) => codes.add(error.code))
      },
      { batch: { size: 2, wait: '1h' } },
    )
    const { receive, lose, settler } = session()
    receive({ count: 2 })
    await running(2)
    lose()
    gate.open()
    await refused.count(2)
    expect(codes.items).to.deep.equal(['LEASE_LOST', 'LEASE_LOST'])
    expect(settler.sendable).to.equal(0)
    processor.close()
  })

  it('runs a suspect as a batch of one, at once, with nothing beside it', async () => {
    const gates = [new Gate(), new Gate()]
    const seen = new Received<unknown>()
    const { session, processor, progressed } = processing(
      async (messages) => {
        seen.add(messages.length)
        await gates[seen.items.length - 1]?.opened
      },
      { batch: { size: 3, wait: '1h' }, concurrency: 2 },
    )
    const { receive } = session()
    receive({ solo: true })
    receive({ count: 3 })
    expect(await seen.count(1)).to.deep.equal([1])
    await aTurn()
    expect(processor.running).to.equal(1)
    gates[0]?.open()
    expect(await seen.count(2)).to.deep.equal([1, 3])
    gates[1]?.open()
    await progressed.count(4)
    processor.close()
  })

  it('does not count the time that messages wait for one another, as a run of the handler or for its timeout', async () => {
    const seen = new Received<boolean>()
    const { session, pace, progressed, processor } = processing((_messages, { signal }) => seen.add(signal.aborted), {
      batch: { size: 3, wait: 150 },
      timeout: 40,
    })
    const { receive, settler } = session()
    receive({ count: 2 })
    await progressed.count(2)
    expect(seen.items).to.deep.equal([false])
    expect(settler.take().acks).to.deep.equal([{ lease: 1 }])
    expect(pace.perMessageMs).to.be.lessThan(30)
    processor.close()
  })

  it('gives up a batch that hangs, takes its places for others, and ignores what comes of it', async () => {
    const gates = [new Gate(), new Gate()]
    const seen = new Received<unknown>()
    const { session, processor, progressed } = processing(
      async (messages, { publish }) => {
        seen.add(bodies(messages))
        await gates[seen.items.length - 1]?.opened
        await publish('orders.other', 1).catch(() => {})
      },
      { batch: { size: 2, wait: '1h' }, timeout: 20, lease: 100 },
    )
    const { receive, settler } = session()
    receive({ count: 4 })
    await seen.count(1)
    expect(processor.occupied).to.equal(2)
    await progressed.count(2)
    expect(settler.take().settles.map(({ outcome }) => outcome)).to.deep.equal(['retry', 'retry'])
    expect(await seen.count(2)).to.deep.equal([
      [0, 1],
      [2, 3],
    ])
    gates[0]?.open()
    gates[1]?.open()
    await progressed.count(4)
    const shipment = settler.take()
    expect([shipment.size, shipment.publishing]).to.deep.equal([2, true])
    processor.close()
  })

  it('on a close that runs out of time does not run what comes through the chain only then, and counts no attempt', async () => {
    const gate = new Gate()
    const { session, processor, running, progressed } = processing(() => expect.fail('it should not run'), {
      batch: { size: 2, wait: '1h' },
      use: [
        async (_delivery, next) => {
          await gate.opened
          return next()
        },
      ],
    })
    const { receive, settler } = session()
    receive({ count: 2 })
    await running(2)
    processor.stop()
    processor.abort(processor.runs(), new BuswayError('BUS_CLOSED', 'closed'))
    gate.open()
    await progressed.count(2)
    expect(settler.take().settles).to.have.length(2)
    processor.close()
  })

  it('runs what ran before a crash no further ahead than its settles are confirmed', async () => {
    const seen = new Received<number>()
    const { session, processor, progressed } = processing((messages) => seen.add(messages.length), {
      batch: { size: 2, wait: 0 },
      concurrency: 2,
    })
    const { receive, settler } = session()
    receive({ count: 10, again: true })
    await progressed.count(4)
    for (let i = 0; i < 5; i++) await aTurn()
    expect(seen.items).to.deep.equal([2, 2])
    settler.confirm(settler.take())
    processor.start()
    await progressed.count(8)
    processor.close()
  })

  it('settles in one request what a batch published, and by themselves what only some of its messages did', async () => {
    const { session, progressed, processor } = processing(
      async (messages, ctx) => {
        if (messages[0]?.body === 0) await ctx.publish('orders.other', 1)
        else await ctx.of(messages[1] as Message).publish('orders.other', 1)
      },
      { batch: { size: 3, wait: '1h' } },
    )
    const { receive, settler } = session()
    receive({ count: 6 })
    await progressed.count(6)
    settler.holdPublishing(true)
    // The three of the first wait for memory, of the second only the one that publishes.
    expect([settler.heldBack, settler.sendable]).to.deep.equal([4, 2])
    processor.close()
  })
})
