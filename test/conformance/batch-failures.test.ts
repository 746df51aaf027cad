/** Batches of which some or all messages fail: which are done, which are tried again, and what is published. */
import {
  type BatchContext,
  BatchError,
  type Bus,
  type ConsumeBatchOptions,
  type Message,
  RetryAfterError,
  UnrecoverableError,
} from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const idsOf = (messages: readonly Message[], which: (n: number) => boolean) =>
  messages.filter(({ body }) => which(body as number)).map(({ id }) => id)
const quickly = { attempts: 5, delay: 1, jitter: 0 }

interface Seen {
  readonly n: number
  readonly attempt: number
}

conformance('a batch of which messages fail', (world) => {
  /** Handles batches of 10 with `work`; answers which messages it saw, batch by batch. */
  const consuming = async (
    work: (messages: readonly Message[], ctx: BatchContext) => unknown,
    options: Partial<ConsumeBatchOptions> = {},
  ) => {
    const bus = world.bus()
    const seen = new Received<Seen[]>()
    const batch = { size: 10, wait: 30 }
    await bus.consumeBatch(
      'orders.paid',
      (messages, ctx) => {
        seen.add(messages.map(({ body, attempt }) => ({ n: body as number, attempt })))
        return work(messages, ctx)
      },
      { batch, retry: quickly, ...options },
    ).ready
    return { bus, seen }
  }
  const publish = (count: number) =>
    world.bus().publishBatch(
      'orders.paid',
      numbers(count).map((body) => ({ body })),
    )
  const settled = (bus: Bus) =>
    eventually(world, 'everything to be settled', async () => {
      const { ready, inFlight, retrying, dead } = await bus.topic('orders.paid').group('test').stats()
      return ready + inFlight + retrying === 0 ? dead : undefined
    })
  const letters = async (bus: Bus) => (await bus.topic('orders.paid').group('test').deadLetters()).items

  it('has those tried again that a BatchError names, with fresh ones, and the others are done', async () => {
    const { bus, seen } = await consuming((messages) => {
      const failed = messages.filter(({ body, attempt }) => Number(body) % 3 === 0 && attempt === 1)
      if (failed.length > 0) throw new BatchError(failed.map(({ id }) => id))
    })
    await publish(20)
    await seen.until((batches) => batches.flat().length === 27, 'all runs')
    expect(await settled(bus)).to.equal(0)
    const again = seen.items.flat().filter(({ attempt }) => attempt > 1)
    expect(again.map(({ n }) => n).sort((a, b) => a - b)).to.deep.equal([0, 3, 6, 9, 12, 15, 18])
    expect(new Set(again.map(({ attempt }) => attempt))).to.deep.equal(new Set([2]))
    expect(await world.log.first(({ msg }) => msg === 'Messages of the batch failed')).to.include({ messages: 10 })
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('has each treated by its own error where a BatchError says why', async () => {
    const { bus, seen } = await consuming((messages) => {
      const why = new Map<string, unknown>()
      for (const { id, body, redelivered } of messages) {
        if (body === 1) why.set(id, new UnrecoverableError('never again'))
        if (body === 2 && !redelivered) why.set(id, new RetryAfterError(5, { countAttempt: false }))
        if (body === 3) why.set(id, new TypeError('each time'))
      }
      if (why.size > 0) throw new BatchError(why)
    })
    await publish(5)
    expect(await settled(bus)).to.equal(2)
    expect(
      (await letters(bus)).map(({ body, reason, error, attempts }) => [body, reason, error.message, attempts]),
    ).to.have.deep.members([
      [1, 'unrecoverable', 'never again', 1],
      [3, 'attempts', 'each time', 5],
    ])
    expect(seen.items.flat().filter(({ n }) => n === 2)).to.deep.equal([
      { n: 2, attempt: 1 },
      { n: 2, attempt: 1 },
    ])
  })

  it('has them fail by the cause of a BatchError with a list', async () => {
    const { bus } = await consuming((messages) => {
      throw new BatchError(
        idsOf(messages, (n) => n < 2),
        { cause: new UnrecoverableError('the account is closed') },
      )
    })
    await publish(4)
    expect(await settled(bus)).to.equal(2)
    for (const letter of await letters(bus)) expect(letter.error.message).to.equal('the account is closed')
  })

  it('fails whole if a BatchError names what is not in it: what was meant must not be taken for done', async () => {
    const { bus, seen } = await consuming((messages) => {
      if (messages[0]?.attempt === 1) throw new BatchError([`${messages[0].id}`, 'order-7'])
    })
    await publish(4)
    await seen.until((batches) => batches.flat().length === 8, 'all runs')
    expect(await settled(bus)).to.equal(0)
    expect(seen.items.flat().filter(({ attempt }) => attempt === 2)).to.have.length(4)
    const line = await world.log.first(({ msg }) => msg === 'The batch failed')
    expect(line.error).to.contain('"order-7"').and.contain('message.id')
    expect(line).to.include({ failed: 4, messages: 4 })
  })

  it('is done if a BatchError names none', async () => {
    const { bus, seen } = await consuming(() => {
      throw new BatchError([])
    })
    await publish(3)
    await seen.count(1)
    expect(await settled(bus)).to.equal(0)
    expect(seen.items).to.have.length(1)
  })

  it('fails whole for any other error, by the retry policy', async () => {
    const { bus } = await consuming(
      () => {
        throw new RangeError('the table is gone')
      },
      { retry: { attempts: 2, delay: 1 } },
    )
    await publish(10)
    expect(await eventually(world, 'all to be dead', async () => ((await settled(bus)) === 10 ? true : undefined)))
    for (const letter of await letters(bus)) {
      expect(letter).to.include({ reason: 'attempts', attempts: 2 })
      expect(letter.error).to.include({ name: 'RangeError', message: 'the table is gone' })
    }
  })

  it('publishes for what is done: by the batch if any message is, by one message if that one is', async () => {
    const outputs = new Received<unknown>()
    await world.bus().consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    const { bus } = await consuming(async (messages, ctx) => {
      await ctx.publish('ledger.booked', `batch ${messages[0]?.attempt}`)
      for (const message of messages) await ctx.of(message).publish('ledger.booked', message.body)
      const isFirst = messages[0]?.attempt === 1
      if (isFirst) throw new BatchError(idsOf(messages, (n) => n === 1))
    })
    await publish(3)
    expect(await settled(bus)).to.equal(0)
    await bus.close()
    await outputs.count(5)
    expect(outputs.items).to.have.deep.members(['batch 1', 0, 2, 'batch 2', 1])
    expect(outputs.items).to.have.length(5)
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('publishes nothing if all of them do', async () => {
    const outputs = new Received<unknown>()
    await world.bus().consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    const { bus } = await consuming(async (messages, ctx) => {
      const { attempt } = messages[0] as Message
      await ctx.publish('ledger.booked', attempt)
      if (attempt === 1) throw new BatchError(messages.map(({ id }) => id))
      if (attempt === 2) throw new Error('once more')
    })
    await publish(3)
    expect(await settled(bus)).to.equal(0)
    await bus.close()
    await outputs.count(1)
    expect(outputs.items).to.deep.equal([3])
  })

  it('aborts its signal at the timeout, and fails whole, whatever it returns', async () => {
    const reasons = new Received<unknown>()
    const { bus, seen } = await consuming(
      async (messages, { signal, publish: publishes }) => {
        if (messages[0]?.attempt !== 1) return
        await publishes('ledger.booked', 1)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        reasons.add(signal.reason.code)
      },
      { timeout: 100 },
    )
    await publish(3)
    expect(await reasons.count(1)).to.deep.equal(['HANDLER_TIMEOUT'])
    await seen.until((batches) => batches.flat().length === 6, 'all runs')
    expect(await settled(bus)).to.equal(0)
    expect(world.log.items.filter(({ msg }) => msg.includes('timeout'))).to.have.length(1)
    expect(await bus.topics()).to.not.include('ledger.booked')
  })

  it('is given up when it hangs for a lease after its timeout; then it can publish nothing, and its messages run again', async () => {
    const gate = new Gate()
    const late = new Received<unknown>()
    const { bus, seen } = await consuming(
      async (messages, ctx) => {
        if (messages[0]?.attempt !== 1) return
        await gate.opened
        await ctx.publish('ledger.booked', 1).catch(({ code }) => late.add(code))
      },
      { timeout: 50, lease: 300 },
    )
    const abandoned = new Received<unknown>()
    bus.on('abandoned', ({ id }) => abandoned.add(id))
    const receipts = await publish(3)
    await seen.until((batches) => batches.flat().length === 6, 'all runs')
    expect(abandoned.items).to.have.members(receipts.map(({ id }) => id))
    gate.open()
    expect(await late.count(1)).to.deep.equal(['LEASE_LOST'])
    expect(await settled(bus)).to.equal(0)
  })

  it('keeps all of it back while Redis is too full for what it publishes', async () => {
    const outputs = new Received<unknown>()
    await world.bus().consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    const gate = new Gate()
    const { bus, seen } = await consuming(async (messages, ctx) => {
      await gate.opened
      await ctx.publish('ledger.booked', messages.length)
    })
    await publish(10)
    await seen.count(1)
    await world.redis.config('SET', 'maxmemory', '1')
    try {
      gate.open()
      await world.log.first(({ msg }) => msg.startsWith('Redis is full'))
      expect((await bus.topic('orders.paid').group('test').stats()).inFlight).to.equal(10)
    } finally {
      await world.redis.config('SET', 'maxmemory', '0')
    }
    expect(await outputs.count(1)).to.deep.equal([10])
    expect(await settled(bus)).to.equal(0)
    expect(seen.items).to.have.length(1)
  })

  it('settles exactly those that it does not name, whatever the batches are', async () => {
    let round = 0
    const plans = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 9), { minLength: 1, maxLength: 60 })
    const shapes = fc.record({
      size: fc.integer({ min: 1, max: 12 }),
      concurrency: fc.integer({ min: 1, max: 3 }),
      publishes: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(plans, shapes, async (fails, { size, concurrency, publishes }) => {
        const topic = `orders.${++round}`
        const bus = world.bus()
        const runs = fails.map(() => 0)
        bus.consumeBatch(
          topic,
          async (messages, ctx) => {
            const bad = messages.filter(({ body }) => (fails[body as number] ?? 0) > (runs[body as number] ?? 0))
            for (const { body } of messages) runs[body as number] = (runs[body as number] ?? 0) + 1
            if (publishes) {
              const good = messages.filter((message) => !bad.includes(message))
              await ctx.publish(
                `out.${round}`,
                good.map(({ body }) => body),
              )
            }
            if (bad.length > 0) throw new BatchError(bad.map(({ id }) => id))
          },
          { batch: { size, wait: 2 }, concurrency, retry: { attempts: 4, delay: 1, jitter: 0 } },
        )
        const outputs = new Received<number>()
        bus.consume(`out.${round}`, ({ body }) => (body as number[]).forEach(outputs.add))
        await Promise.all(fails.map((_, n) => bus.publish(topic, n)))
        // Four attempts, and then no more.
        const expected = fails.map((times) => Math.min(times + 1, 4))
        const doomed = fails.filter((times) => times === 9).length
        const group = bus.topic(topic).group('test')
        await eventually(world, 'everything to be over', async () => {
          const { ready, inFlight, retrying, dead } = await group.stats()
          const isOver = ready + inFlight + retrying === 0 && dead === doomed
          return isOver && runs.every((count, n) => count === expected[n]) ? true : undefined
        })
        if (publishes) await outputs.count(fails.length - doomed)
        await bus.close()
        expect(runs).to.deep.equal(expected)
        const done = numbers(fails.length).filter((n) => fails[n] !== 9)
        if (publishes) expect([...outputs.items].sort((a, b) => a - b)).to.deep.equal(done)
      }),
      { numRuns: 15 },
    )
  })
})
