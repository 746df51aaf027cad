import { AsyncLocalStorage } from 'node:async_hooks'
import type { Delivery } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { deadLetters, equipped, extra, plugin } from './equipped.js'
import { refusal } from './refusal.js'

describe('the consume chains', () => {
  const world = makeWorld()

  const around = (name: string, order: string[]) =>
    plugin(name, (scope) => {
      scope.consume('decode', async (_encoded, next) => {
        const body = await next()
        order.push(`${name} decodes`)
        return body
      })
      scope.consume('handle', async (_delivery, next) => {
        order.push(`${name} begins`)
        const result = await next()
        order.push(`${name} ends`)
        return result
      })
    })

  it("run around the handler, the first registered outermost, a subscription's own innermost", async () => {
    const order: string[] = []
    const bus = equipped(world, [around('a', order), around('b', order)])
    const handled = new Received<unknown>()
    await bus.consume('orders.paid', () => void order.push('handler'), {
      use: [
        async (_delivery, next) => {
          order.push('own')
          const result = await next()
          handled.add(result)
          return result
        },
      ],
    }).ready
    await bus.publish('orders.paid', 1)
    await handled.count(1)
    await bus.close()
    expect(order).to.deep.equal([
      'b decodes',
      'a decodes',
      'a begins',
      'b begins',
      'own',
      'handler',
      'b ends',
      'a ends',
    ])
  })

  it('see the delivery: message, group, options, and publish with its settle', async () => {
    const seen = new Received<Pick<Delivery, 'message' | 'group' | 'options'>>()
    const bus = equipped(world, [
      plugin('auditor', (scope) => {
        scope.option('consume', 'audited', (value) => (typeof value === 'boolean' ? undefined : 'true or false'))
        scope.consume('handle', async (delivery, next) => {
          seen.add({ message: delivery.message, group: delivery.group, options: delivery.options })
          const result = await next()
          await delivery.publish('audit', { id: delivery.message.id, result })
          return result
        })
      }),
    ])
    const audit = new Received<unknown>()
    await bus.consume('audit', ({ body }) => audit.add(body)).ready
    await bus.consume('orders.paid', ({ body }) => `done ${body}`, { group: 'ledger', ...extra({ audited: true }) })
      .ready
    const { id } = await bus.publish('orders.paid', 7, { key: 'k' })
    const delivery = await seen.first(({ message }) => message.topic === 'orders.paid')
    expect(delivery.message).to.include({ id, body: 7, key: 'k', attempt: 1, topic: 'orders.paid' })
    expect(delivery.group).to.equal('ledger')
    expect(delivery.options).to.include({ audited: true })
    expect(await audit.first((body) => JSON.stringify(body).includes(id))).to.deep.equal({ id, result: 'done 7' })
    await bus.close()
  })

  it('fail the run with what they throw', async () => {
    const attempts = new Received<number>()
    const bus = equipped(world, [
      plugin('strict', (scope) =>
        scope.consume('handle', async ({ message }, next) => {
          if (message.attempt === 1) throw new Error('not at first')
          return next()
        }),
      ),
    ])
    await bus.consume('orders.paid', ({ attempt }) => attempts.add(attempt), { retry: { delay: 1, jitter: 0 } }).ready
    await bus.publish('orders.paid', 1)
    expect(await attempts.count(1)).to.deep.equal([2])
  })

  for (const [what, run, message] of [
    [
      'a second next()',
      async (next: () => Promise<unknown>) => {
        await next()
        return next()
      },
      /called next\(\) twice/,
    ],
    ['a next() that is not awaited', async (next: () => Promise<unknown>) => void next(), /without awaiting next\(\)/],
  ] as const) {
    it(`fail the run for ${what}, the handler having run once`, async () => {
      let runs = 0
      const bus = equipped(world, [plugin('faulty', (scope) => scope.consume('handle', (_d, next) => run(next)))])
      await bus.consume(
        'orders.paid',
        async () => {
          await new Promise((resolve) => setImmediate(resolve))
          runs++
        },
        { group: 'ledger', retry: false },
      ).ready
      await bus.publish('orders.paid', 1)
      const items = await deadLetters(world, bus, 'ledger')
      expect(items[0]?.error.message).to.match(message)
      expect(runs).to.equal(1)
    })
  }

  it('do not run in the async context of whoever published or woke the consumer', async () => {
    const caller = new AsyncLocalStorage<string>()
    const seen = new Received<string | undefined>()
    const bus = equipped(world, [
      plugin('seer', (scope) =>
        scope.consume('handle', async (_delivery, next) => {
          seen.add(caller.getStore())
          return next()
        }),
      ),
    ])
    await bus.consume('orders.paid', () => {}).ready
    for (const name of ['a', 'b']) {
      await caller.run(name, () => bus.publish('orders.paid', name))
      await seen.count(name === 'a' ? 1 : 2)
    }
    await Promise.all(['c', 'd', 'e'].map((name) => caller.run(name, () => bus.publish('orders.paid', name))))
    expect(await seen.count(5)).to.deep.equal([undefined, undefined, undefined, undefined, undefined])
  })

  it('check the options of consume, naming the nearest right one', async () => {
    const bus = equipped(world, [
      plugin('inbox', (scope) =>
        scope.option('consume', 'inbox', (value) => (typeof value === 'object' ? undefined : 'an object')),
      ),
    ])
    const wrong = await refusal(() => bus.consume('orders.paid', () => {}, extra({ inbox: 1 })))
    expect([wrong.code, wrong.message]).to.deep.equal([
      'INVALID_OPTIONS',
      "consume: inbox of plugin 'inbox' should be an object.",
    ])
    const unknown = await refusal(() => bus.consume('orders.paid', () => {}, extra({ inbocks: {} })))
    expect(unknown.message).to.match(/inbocks.*inbox/)
  })

  it('add to the context, lazily, and to the log lines of a handler', async () => {
    let made = 0
    const bus = equipped(world, [
      plugin('tenants', (scope) => {
        scope.context('tenant', ({ message }) => {
          made++
          return message.headers.tenant
        })
        scope.logBindings(() => ({ trace_id: 'abc' }))
      }),
    ])
    const seen = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }, ctx) => {
      if (body === 'uses it') seen.add([(ctx as { tenant?: string }).tenant, (ctx as { tenant?: string }).tenant])
      else seen.add(made)
      ctx.log.info('handled')
    }).ready
    await bus.publish('orders.paid', 'does not use it', { headers: { tenant: 'a' } })
    expect(await seen.count(1)).to.deep.equal([0])
    await bus.publish('orders.paid', 'uses it', { headers: { tenant: 'a' } })
    expect((await seen.count(2))[1]).to.deep.equal(['a', 'a'])
    expect(made).to.equal(1)
    expect(await world.log.first(({ msg }) => msg === 'handled')).to.include({ trace_id: 'abc', topic: 'orders.paid' })
  })
})
