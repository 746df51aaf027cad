/** Batch handlers: what makes a batch, what it is given, and how it begins and ends. Failures are in batch-failures.test.ts. */
import type { BatchContext, Message } from '@busway/bus'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const bodies = (messages: readonly Message[]) => messages.map(({ body }) => body)

conformance('a batch handler', (world) => {
  /** Consumes `orders.paid` by batches; answers those it saw. */
  const consuming = async (
    options: { size: number; wait?: number | `${number}ms` | `${number}h` },
    more: {
      concurrency?: number
      lookahead?: number
      groupConcurrency?: number
      work?: (messages: readonly Message[], ctx: BatchContext) => unknown
    } = {},
  ) => {
    const bus = world.bus()
    const seen = new Received<unknown[]>()
    const { work, ...rest } = more
    const subscription = bus.consumeBatch(
      'orders.paid',
      (messages, ctx) => {
        seen.add(bodies(messages))
        return work?.(messages, ctx)
      },
      { batch: options, ...rest },
    )
    await subscription.ready
    return { bus, seen, subscription }
  }
  /** Resolves when so many messages are held. */
  const gathered = (count: number) =>
    eventually(world, `${count} messages to be taken`, async () => {
      const { inFlight } = await world.bus().topic('orders.paid').group('test').stats()
      return inFlight >= count ? true : undefined
    })
  const publish = (from: number, count: number) =>
    world.bus().publishBatch(
      'orders.paid',
      numbers(count, from).map((body) => ({ body })),
    )

  it('runs as soon as there are as many messages as it wants, in the order of delivery', async () => {
    const { bus, seen } = await consuming({ size: 10, wait: '1h' })
    await publish(0, 25)
    expect(await seen.count(2)).to.deep.equal([numbers(10), numbers(10, 10)])
    await publish(25, 5)
    expect((await seen.count(3))[2]).to.deep.equal(numbers(10, 20))
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('runs with what has come when the first has waited long enough', async () => {
    const { seen } = await consuming({ size: 10, wait: '150ms' })
    const startedMs = performance.now()
    await publish(0, 3)
    expect(await seen.count(1)).to.deep.equal([numbers(3)])
    expect(performance.now() - startedMs).to.be.at.least(149)
  })

  it('with no time to wait takes what is there', async () => {
    await publish(0, 7)
    const { seen } = await consuming({ size: 5, wait: 0 })
    expect(await seen.count(2)).to.deep.equal([numbers(5), [5, 6]])
    await publish(7, 1)
    expect((await seen.count(3))[2]).to.deep.equal([7])
  })

  it('is full where there is enough, also with no time to wait and nothing held ahead', async () => {
    const publisher = world.bus()
    // Lone messages, of which a fetch brings few.
    await Promise.all(numbers(300).map((n) => publisher.publish('orders.paid', n, { id: `order-${n}` })))
    // Long enough for the fetches that it takes meanwhile.
    const work = () => new Promise((resolve) => setTimeout(resolve, 300))
    const { seen } = await consuming({ size: 100, wait: 0 }, { work, lookahead: 0 })
    await seen.until((batches) => batches.flat().length === 300, 'all messages')
    expect(seen.items.map((batch) => batch.length)).to.deep.equal([100, 100, 100])
  })

  for (const concurrency of [1, 3]) {
    it(`runs ${concurrency} at once if concurrency is ${concurrency}`, async () => {
      const gate = new Gate()
      let running = 0
      let most = 0
      const work = async () => {
        most = Math.max(most, ++running)
        await gate.opened
        running--
      }
      const { bus, seen } = await consuming({ size: 2, wait: '1h' }, { concurrency, work })
      await publish(0, 20)
      await seen.count(concurrency)
      gate.open()
      await seen.count(10)
      expect(most).to.equal(concurrency)
      await bus.close()
      expect(seen.items.flat()).to.have.members(numbers(20))
      await namespaceIsClean(world.redis, world.namespace)
    })
  }

  it('leaves to others what it does not come to run', async () => {
    const gate = new Gate()
    const slow = await consuming({ size: 10, wait: 0 }, { work: () => gate.opened })
    await publish(0, 1)
    await slow.seen.count(1)
    // Not full, and yet it has all that it may have.
    await publish(1, 9)
    const other = await consuming({ size: 10, wait: 0 })
    await other.seen.until((batches) => batches.flat().length === 9, 'the others')
    gate.open()
  })

  it('has one message of a key at a time, in their order', async () => {
    const publisher = world.bus()
    for (const n of numbers(40)) await publisher.publish('orders.paid', { key: `k${n % 4}`, n }, { key: `k${n % 4}` })
    const { seen } = await consuming({ size: 10, wait: 0 })
    await seen.until((batches) => batches.flat().length === 40, 'all messages')
    const batches = seen.items as { key: string; n: number }[][]
    for (const batch of batches) expect(new Set(batch.map(({ key }) => key)).size).to.equal(batch.length)
    for (const key of ['k0', 'k1', 'k2', 'k3']) {
      const ofKey = batches.flat().filter((each) => each.key === key)
      expect(ofKey.map(({ n }) => n)).to.deep.equal(ofKey.map(({ n }) => n).sort((a, b) => a - b))
    }
  })

  it('is full with messages of other keys, however many stand behind the first of one', async () => {
    const publisher = world.bus()
    for (const n of numbers(40)) await publisher.publish('orders.paid', `hot ${n}`, { key: 'hot' })
    const { seen } = await consuming({ size: 4, wait: '1h' }, { lookahead: 0 })
    await gathered(1)
    for (const key of ['a', 'b', 'c']) await publisher.publish('orders.paid', key, { key })
    expect(await seen.count(1)).to.deep.equal([['hot 0', 'a', 'b', 'c']])
  })

  it('does not wait for more than its group may have in flight', async () => {
    const { bus, seen } = await consuming({ size: 10, wait: '1h' }, { groupConcurrency: 3 })
    await publish(0, 6)
    expect(await seen.count(2)).to.deep.equal([numbers(3), numbers(3, 3)])
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('has one context for all, and gives that of each message', async () => {
    const contexts = new Received<unknown>()
    const work = (messages: readonly Message[], ctx: BatchContext) => {
      const [first] = messages as [Message]
      ctx.log.info('of all')
      ctx.of(first).log.info('of one')
      const stranger = (() => {
        try {
          return ctx.of({ ...first })
        } catch (error) {
          return (error as { code?: string }).code
        }
      })()
      const { group, signal } = ctx
      contexts.add({
        group,
        aborted: signal.aborted,
        same: new Set([ctx.of(first), ctx.of(first)]).size === 1,
        stranger,
      })
    }
    await consuming({ size: 2, wait: '1h' }, { work })
    const [{ id } = { id: '' }] = await publish(0, 2)
    expect(await contexts.count(1)).to.deep.equal([
      { group: 'test', aborted: false, same: true, stranger: 'INVALID_OPTIONS' },
    ])
    expect(await world.log.first(({ msg }) => msg === 'of all')).to.include({ messages: 2, topic: 'orders.paid' })
    expect(await world.log.first(({ msg }) => msg === 'of one')).to.include({ messageId: id, attempt: 1 })
  })

  it('publishes once for all of the batch, with the settles of all', async () => {
    const outputs = new Received<unknown>()
    await world.bus().consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    const work = async (messages: readonly Message[], ctx: BatchContext) => {
      await ctx.publish('ledger.booked', bodies(messages))
      await ctx.of(messages[1] as Message).publish('ledger.booked', 'of the second')
    }
    const { bus } = await consuming({ size: 5, wait: '1h' }, { work })
    await publish(0, 10)
    await outputs.count(4)
    await bus.close()
    expect(outputs.items).to.have.deep.members([numbers(5), numbers(5, 5), 'of the second', 'of the second'])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('answers requests with a list that has an entry for each message', async () => {
    await consuming({ size: 3, wait: '1h' }, { work: (messages) => messages.map(({ body }) => Number(body) * 2) })
    const bus = world.bus()
    expect(await Promise.all([1, 2, 3].map((n) => bus.request('orders.paid', n)))).to.deep.equal([2, 4, 6])
  })

  it('answers nothing by a list that has not', async () => {
    await consuming({ size: 2, wait: '1h' }, { work: () => [1, 2, 3] })
    const bus = world.bus()
    expect(await Promise.all([1, 2].map((n) => bus.request('orders.paid', n)))).to.deep.equal([undefined, undefined])
  })

  it('runs what has gathered when its subscription is closed', async () => {
    const { seen, subscription } = await consuming({ size: 10, wait: '1h' })
    await publish(0, 3)
    await gathered(3)
    const report = await subscription.close()
    expect(seen.items).to.deep.equal([numbers(3)])
    expect(report).to.deep.equal({ released: 0, abandoned: [], unanswered: 0 })
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('says which messages it left when its subscription is closed and time is up', async () => {
    const gate = new Gate()
    const { bus, seen, subscription } = await consuming({ size: 3, wait: '1h' }, { work: () => gate.opened })
    const receipts = await publish(0, 3)
    await publish(3, 2)
    await seen.count(1)
    const report = await subscription.close({ timeout: 50 })
    expect(report.abandoned).to.have.members(receipts.map(({ id }) => id))
    expect(await world.bus().topic('orders.paid').group('test').stats()).to.include({ inFlight: 3, ready: 2 })
    gate.open()
    await bus.close()
  })

  it('runs what has gathered when its subscription is paused, then nothing until it is resumed', async () => {
    const { seen, subscription } = await consuming({ size: 3, wait: '1h' })
    await publish(0, 1)
    await gathered(1)
    subscription.pause()
    expect(await seen.count(1)).to.deep.equal([[0]])
    await publish(1, 3)
    expect(seen.items).to.have.length(1)
    subscription.resume()
    expect((await seen.count(2))[1]).to.deep.equal([1, 2, 3])
  })

  it('does not handle what expired while it waited', async () => {
    const bus = world.bus()
    const { seen } = await consuming({ size: 10, wait: 300 })
    await bus.publish('orders.paid', 'late', { expiresIn: 100 })
    await bus.publish('orders.paid', 'in time')
    expect(await seen.count(1)).to.deep.equal([['in time']])
    await world.log.first(({ reason }) => reason === 'expired')
    await bus.close()
    expect((await world.bus().topic('orders.paid').group('test').deadLetters()).items).to.have.length(1)
  })
})
