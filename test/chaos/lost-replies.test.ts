import { BatchError } from '@busway/bus'
import { expect } from 'chai'
import { plugin } from '../plugins/equipped.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('a connection that drops', function () {
  this.timeout(60_000)
  const w = world()
  const faults = [
    ['with the reply in flight', 'cutAtReply'],
    ['with the request in flight', 'cutAtRequest'],
  ] as const

  for (const [when, fault] of faults) {
    it(`${when} of a publish: no duplicate, no loss, nothing overtaken`, async () => {
      const proxy = await w.proxy()
      const publisher = w.bus({ redis: proxy.url })
      const consumer = w.bus()
      const received = new Received<number>()
      await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
      await publisher.publish('orders.paid', 0)
      let n = 1
      for (const _ of numbers(5)) {
        const dropped = proxy[fault]()
        const receipts = numbers(30).map(() => publisher.publish('orders.paid', n++))
        await dropped
        const during = numbers(30).map(() => publisher.publish('orders.paid', n++))
        await Promise.all([...receipts, ...during])
      }
      expect(await received.count(n)).to.deep.equal(numbers(n))
      await Promise.all([publisher.close(), consumer.close()])
      expect(received.items).to.have.length(n)
      await namespaceIsClean(w.redis, w.namespace)
    })

    it(`${when} of a publish with ids of its own: accepted, not a duplicate of itself`, async () => {
      const proxy = await w.proxy()
      const publisher = w.bus({ redis: proxy.url })
      await publisher.publish('orders.paid', 0)
      const dropped = proxy[fault]()
      const receipt = publisher.publish('orders.paid', 1, { id: 'order-1' })
      await dropped
      expect(await receipt).to.deep.equal({ id: 'order-1', topic: 'orders.paid', status: 'accepted' })
      const again = proxy[fault]()
      const repeated = publisher.publish('orders.paid', 2, { id: 'order-1' })
      await again
      expect((await repeated).status).to.equal('duplicate')
    })

    it(`${when} of a settle: nothing runs twice, nothing is left, and what it publishes arrives once`, async () => {
      const proxy = await w.proxy()
      const consumer = w.bus({ redis: proxy.url })
      const publisher = w.bus()
      const outputs = new Received<number>()
      const runs = new Received<number>()
      const drops: Promise<void>[] = []
      await w.bus().consume('invoices.wanted', ({ body }) => outputs.add(body as number)).ready
      await consumer.consume(
        'orders.paid',
        async ({ body }, context) => {
          await context.publish('invoices.wanted', body)
          // The next script that this connection carries has the settle of this message or of one just before.
          if ((body as number) % 80 === 40) drops.push(proxy[fault]())
          runs.add(body as number)
        },
        { concurrency: 4, lease: '20s' },
      ).ready
      for (const n of numbers(400)) await publisher.publish('orders.paid', n)
      await outputs.count(400)
      await Promise.all(drops)
      await consumer.close()
      expect([...outputs.items].sort((a, b) => a - b)).to.deep.equal(numbers(400))
      // Known to be settled or known not to be: a dropped connection is no reason to run anything again.
      expect([...runs.items].sort((a, b) => a - b)).to.deep.equal(numbers(400))
      await publisher.close()
      await namespaceIsClean(w.redis, w.namespace)
    })
  }

  for (const [when, fault] of faults) {
    it(`${when} of a batch's settles: nothing runs twice but what it failed, and what it publishes arrives once`, async () => {
      const proxy = await w.proxy()
      const consumer = w.bus({ redis: proxy.url })
      const publisher = w.bus()
      const outputs = new Received<number>()
      const runs = new Received<string>()
      const drops: Promise<void>[] = []
      await w.bus().consume('invoices.wanted', ({ body }) => (body as number[]).forEach(outputs.add)).ready
      await consumer.consumeBatch(
        'orders.paid',
        async (messages, context) => {
          const failed = messages.filter(({ body, attempt }) => (body as number) % 10 === 0 && attempt === 1)
          const good = messages.filter((message) => !failed.includes(message))
          await context.publish(
            'invoices.wanted',
            good.map(({ body }) => body),
          )
          if (messages.some(({ body }) => (body as number) % 80 === 41)) drops.push(proxy[fault]())
          for (const { body, attempt } of messages) runs.add(`${body} ${attempt}`)
          if (failed.length > 0) throw new BatchError(failed.map(({ id }) => id))
        },
        { batch: { size: 8, wait: 5 }, concurrency: 2, lease: '20s', retry: { delay: 1, jitter: 0 } },
      ).ready
      for (const n of numbers(400)) await publisher.publish('orders.paid', n)
      await outputs.count(400)
      await Promise.all(drops)
      await consumer.close()
      expect([...outputs.items].sort((a, b) => a - b)).to.deep.equal(numbers(400))
      const expected = numbers(400).flatMap((n) => (n % 10 === 0 ? [`${n} 1`, `${n} 2`] : [`${n} 1`]))
      expect([...runs.items].sort()).to.deep.equal(expected.sort())
      await publisher.close()
      await namespaceIsClean(w.redis, w.namespace)
    })
  }

  it('with the reply of a settle in flight, and that comes back when its lease is over: whether it settled is not claimed', async () => {
    const proxy = await w.proxy()
    const publisher = w.bus()
    const [told, runs] = [new Received<object>(), new Received<number>()]
    const consumer = w.bus({ redis: proxy.url })
    consumer.use(
      plugin('watching', (scope) =>
        scope.observe('settled', ({ outcome, refused, unanswered }) =>
          told.add({ outcome: outcome.kind, refused, unanswered }),
        ),
      ),
    )
    const options = { lease: '1s', retry: { delay: '1h' } } as const
    const isCut = proxy.cutAtReply((request) => request.includes('a distinct failure'))
    await consumer.consume(
      'orders.paid',
      ({ body }) => {
        runs.add(body as number)
        throw new Error('a distinct failure')
      },
      options,
    ).ready
    await publisher.publish('orders.paid', 1)
    await isCut
    await proxy.down()
    const { redis, namespace } = w
    const sessions = (await redis.keys(`${namespace}:{orders.paid}:*:sessions`))[0] as string
    // Its lease ends, and others look after the group.
    for (const session of await redis.zrange(sessions, '0', '-1')) await redis.zadd(sessions, 'XX', 1, session)
    await w.bus().consume('orders.paid', ({ body }) => runs.add(body as number), options).ready
    await proxy.up()
    expect(await told.count(1)).to.deep.equal([{ outcome: 'retry', refused: 'LEASE_LOST', unanswered: true }])
    expect(runs.items).to.deep.equal([1])
  })

  it('with the reply of a fetch in flight: what it fetched runs once', async () => {
    const proxy = await w.proxy()
    const publisher = w.bus()
    const consumer = w.bus({ redis: proxy.url })
    const runs = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => runs.add(body as number), { lease: '20s' }).ready
    for (const round of numbers(5)) {
      const dropped = proxy.cutAtReply()
      await publisher.publishBatch(
        'orders.paid',
        numbers(20, round * 20).map((body) => ({ body })),
      )
      await dropped
      await runs.count((round + 1) * 20)
    }
    await consumer.close()
    expect([...runs.items].sort((a, b) => a - b)).to.deep.equal(numbers(100))
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })
})
