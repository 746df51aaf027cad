import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('ctx.publish', (world) => {
  for (const [where, output] of [
    ['to the same topic', 'orders.paid'],
    ['to another topic', 'invoices.wanted'],
  ] as const) {
    it(`publishes once for each message that was settled, ${where}`, async () => {
      const bus = world.bus()
      const outputs = new Received<unknown>()
      const isOutput = (body: unknown) => typeof body === 'string'
      if (output !== 'orders.paid') await bus.consume(output, ({ body }) => outputs.add(body)).ready
      await bus.consume('orders.paid', async ({ body }, context) => {
        if (isOutput(body)) return outputs.add(body)
        await context.publish(output, `invoice ${body}`)
      }).ready
      await Promise.all(numbers(300).map((n) => bus.publish('orders.paid', n)))
      await outputs.count(300)
      await bus.close()
      expect([...outputs.items].sort()).to.deep.equal(
        numbers(300)
          .map((n) => `invoice ${n}`)
          .sort(),
      )
      await namespaceIsClean(world.redis, world.namespace)
    })

    it(`publishes nothing if the handler fails, ${where}`, async () => {
      const bus = world.bus()
      const outputs = new Received<unknown>()
      const runs = new Received<number>()
      if (output !== 'orders.paid') await bus.consume(output, ({ body }) => outputs.add(body)).ready
      await bus.consume(
        'orders.paid',
        async ({ body, attempt }, context) => {
          if (typeof body === 'string') return outputs.add(body)
          await context.publish(output, `attempt ${attempt}`)
          runs.add(attempt)
          if (attempt < 3) throw new Error('after the publish')
        },
        { retry: { attempts: 3, delay: 5, jitter: 0 } },
      ).ready
      await bus.publish('orders.paid', 1)
      await runs.count(3)
      expect(await outputs.count(1)).to.deep.equal(['attempt 3'])
      await bus.close()
      expect(outputs.items).to.have.length(1)
      await namespaceIsClean(world.redis, world.namespace)
    })
  }

  it('publishes several, to several topics, in the order of the calls', async () => {
    const bus = world.bus()
    const seen = { 'a.out': new Received<unknown>(), 'b.out': new Received<unknown>() }
    for (const [topic, received] of Object.entries(seen))
      await bus.consume(topic, ({ body }) => received.add(body), { concurrency: 1 }).ready
    await bus.consume(
      'orders.paid',
      async ({ body }, context) => {
        for (const n of numbers(3)) {
          await context.publish('a.out', [body, n])
          await context.publish('b.out', [body, n])
        }
      },
      { concurrency: 1 },
    ).ready
    for (const n of numbers(20)) await bus.publish('orders.paid', n)
    const expected = numbers(20).flatMap((body) => numbers(3).map((n) => [body, n]))
    expect(await seen['a.out'].count(60)).to.deep.equal(expected)
    expect(await seen['b.out'].count(60)).to.deep.equal(expected)
  })

  it('takes own id, key, headers and delay along', async () => {
    const bus = world.bus()
    const received = new Received<Record<string, unknown>>()
    const startedMs = performance.now()
    await bus.consume('invoices.wanted', ({ id, key, headers, source }) =>
      received.add({ id, key, headers, source, waitedMs: performance.now() - startedMs }),
    ).ready
    await bus.consume('orders.paid', async (_message, context) => {
      await context.publish('invoices.wanted', 1, {
        id: 'invoice-7',
        key: 'customer-3',
        headers: { a: 'b' },
        delay: 150,
      })
    }).ready
    await bus.publish('orders.paid', 1)
    const [output] = await received.count(1)
    expect(output).to.deep.include({ id: 'invoice-7', key: 'customer-3', headers: { a: 'b' }, source: 'test' })
    expect(output?.waitedMs).to.be.at.least(148)
  })

  it('rejects what cannot be published, at once, and the handler may go on', async () => {
    const bus = world.bus()
    const codes = new Received<unknown>()
    await bus.consume('orders.paid', async (_message, context) => {
      for (const attempt of [
        () => context.publish('not a topic', 1),
        () => context.publish('invoices.wanted', 10n),
        () => context.publish('invoices.wanted', 'x'.repeat(2 ** 21)),
      ])
        await attempt().catch((error: { code?: string }) => codes.add(error.code))
    }).ready
    await bus.publish('orders.paid', 1)
    expect(await codes.count(3)).to.deep.equal(['INVALID_TOPIC', 'INVALID_BODY', 'PAYLOAD_TOO_LARGE'])
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('reaches a topic that was unknown so far', async () => {
    const bus = world.bus()
    await bus.consume('orders.paid', ({ body }, context) => context.publish('never.seen', body)).ready
    await bus.publish('orders.paid', 7)
    const received = new Received<unknown>()
    bus.consume('never.seen', ({ body }) => received.add(body))
    expect(await received.count(1)).to.deep.equal([7])
  })
})
