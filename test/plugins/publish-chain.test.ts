import { AsyncLocalStorage } from 'node:async_hooks'
import type { PublishBatch } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { deadLetters, equipped, extra, plugin } from './equipped.js'
import { refusal } from './refusal.js'

describe('the publish chain', () => {
  const world = makeWorld()

  it("runs in the caller's async context, once per call, whatever the number of messages", async () => {
    const caller = new AsyncLocalStorage<string>()
    const seen: { caller: string | undefined; topic: string; count: number; via: PublishBatch['via'] }[] = []
    const bus = equipped(world, [
      plugin('seer', (scope) =>
        scope.publish('enrich', async (batch, next) => {
          const { topic, messages, via } = batch
          seen.push({ caller: caller.getStore(), topic, count: messages.length, via })
          return next()
        }),
      ),
    ])
    await Promise.all([
      caller.run('a', () => bus.publish('orders.paid', 1)),
      caller.run('b', () => bus.publishBatch('orders.paid', [{ body: 2 }, { body: 3 }])),
    ])
    expect(seen).to.have.deep.members([
      { caller: 'a', topic: 'orders.paid', count: 1, via: 'publish' },
      { caller: 'b', topic: 'orders.paid', count: 2, via: 'publish' },
    ])
  })

  it('is not run again for a retry or a redrive, and told of what a handler publishes', async () => {
    const seen: string[] = []
    const bus = equipped(world, [
      plugin('seer', (scope) =>
        scope.publish('enrich', async (batch, next) => {
          seen.push(`${batch.topic} by ${batch.via}`)
          return next()
        }),
      ),
    ])
    const invoices = new Received<unknown>()
    await bus.consume('invoices', ({ body }) => invoices.add(body)).ready
    const died = new Received<number>()
    let redriven = false
    await bus.consume(
      'orders.paid',
      async ({ attempt }, ctx) => {
        if (redriven) return ctx.publish('invoices', 'paid')
        died.add(attempt)
        throw new Error('not yet')
      },
      { group: 'ledger', retry: { attempts: 2, delay: 1, jitter: 0 } },
    ).ready
    await bus.publish('orders.paid', 1)
    await deadLetters(world, bus, 'ledger')
    redriven = true
    await bus.topic('orders.paid').group('ledger').redrive('all')
    await invoices.count(1)
    expect(died.items).to.deep.equal([1, 2])
    expect(seen).to.deep.equal(['orders.paid by publish', 'invoices by settle'])
  })

  it('carries headers to the consumer, each message its own, and leaves the caller its object', async () => {
    const bus = equipped(world, [
      plugin('stamp', (scope) =>
        scope.publish('enrich', async (batch, next) => {
          batch.messages.forEach((message, i) => {
            message.headers.stamp = `${i}`
          })
          return next()
        }),
      ),
    ])
    const seen = new Received<Readonly<Record<string, string>>>()
    await bus.consume('orders.paid', ({ headers }) => seen.add(headers)).ready
    const headers = { from: 'caller' }
    await bus.publishBatch('orders.paid', [
      { body: 1, headers },
      { body: 2, headers },
    ])
    expect([...(await seen.count(2))].sort((a, b) => Number(a.stamp) - Number(b.stamp))).to.deep.equal([
      { from: 'caller', stamp: '0' },
      { from: 'caller', stamp: '1' },
    ])
    expect(headers).to.deep.equal({ from: 'caller' })
  })

  it('encodes into bytes of its own content type, which decode reads, for handlers and admin pages', async () => {
    const reversed = plugin('reversed', (scope) => {
      scope.publish('encode', async (batch, next) => {
        for (const message of batch.messages) {
          message.body = Buffer.from(JSON.stringify(message.body)).reverse()
          message.contentType = 'application/x-reversed'
        }
        return next()
      })
      scope.consume('decode', async (encoded, next) => {
        const inner = await next()
        if (encoded.contentType !== 'application/x-reversed') return inner
        return JSON.parse(
          Buffer.from(inner as Uint8Array)
            .reverse()
            .toString(),
        )
      })
    })
    const bus = equipped(world, [reversed])
    const seen = new Received<unknown>()
    await bus.consume(
      'orders.paid',
      ({ body, contentType }) => {
        seen.add({ body, contentType })
        throw new Error('no')
      },
      { group: 'ledger', retry: false },
    ).ready
    await bus.publish('orders.paid', { total: 7 })
    expect(await seen.count(1)).to.deep.equal([{ body: { total: 7 }, contentType: 'application/x-reversed' }])
    const items = await deadLetters(world, bus, 'ledger')
    expect(items.map(({ body }) => body)).to.deep.equal([{ total: 7 }])
  })

  it('makes a dead letter, with its cause, of what no plugin decodes', async () => {
    const encoder = plugin('encoder', (scope) =>
      scope.publish('encode', async (batch, next) => {
        for (const message of batch.messages) {
          message.body = Buffer.from([1, 2, 3])
          message.contentType = 'application/x-strange'
        }
        return next()
      }),
    )
    const bus = equipped(world, [encoder])
    const plain = world.bus()
    const handled = new Received<unknown>()
    await plain.consume('orders.paid', ({ body }) => handled.add(body), { group: 'ledger' }).ready
    await bus.publish('orders.paid', 1)
    const items = await deadLetters(world, plain, 'ledger')
    await plain.publish('orders.paid', 'readable')
    expect(await handled.count(1)).to.deep.equal(['readable'])
    expect(items.map(({ reason }) => reason)).to.deep.equal(['undecodable'])
    expect(items[0]?.error.message).to.match(/application\/x-strange/)
  })

  it('may answer without publishing', async () => {
    const bus = equipped(world, [
      plugin('sink', (scope) =>
        scope.publish('enrich', async ({ topic, messages }) =>
          messages.map((_, i) => ({ id: `sunk-${i}`, topic, status: 'accepted' as const })),
        ),
      ),
    ])
    expect(await bus.publish('orders.paid', 1)).to.deep.equal({
      id: 'sunk-0',
      topic: 'orders.paid',
      status: 'accepted',
    })
    expect(await world.redis.exists(`${world.namespace}:{orders.paid}:batches`)).to.equal(0)
  })

  it('rejects the publish with what a middleware throws, before anything is written', async () => {
    const bus = equipped(world, [
      plugin('refuser', (scope) =>
        scope.publish('enrich', async () => {
          throw new RangeError('not today')
        }),
      ),
    ])
    const error = await bus.publish('orders.paid', 1).catch((thrown) => thrown)
    expect(error).to.be.instanceOf(RangeError)
    expect(await world.redis.exists(`${world.namespace}:{orders.paid}:batches`)).to.equal(0)
  })

  it('publishes once, and says so, when a middleware calls next() twice', async () => {
    const bus = equipped(world, [
      plugin('twice', (scope) =>
        scope.publish('enrich', async (_batch, next) => {
          await next()
          return next()
        }),
      ),
    ])
    const error = await refusal(() => bus.publish('orders.paid', 1))
    expect(error.code).to.equal('PLUGIN_MISUSE')
    expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(1)
  })

  it('sees the options, which are checked before anything runs', async () => {
    const seen: unknown[] = []
    const bus = equipped(world, [
      plugin('tenants', (scope) => {
        scope.option('publish', 'tenant', (value) => (typeof value === 'string' ? undefined : 'a string'))
        scope.publish('enrich', async (batch, next) => {
          seen.push(batch.messages.map(({ options }) => options.tenant))
          return next()
        })
      }),
    ])
    await bus.publish('orders.paid', 1, extra({ tenant: 'a', key: 'k' }))
    await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2, ...extra({ tenant: 'b' }) }])
    const wrong = await refusal(() => bus.publish('orders.paid', 1, extra({ tenant: 7 })))
    expect([wrong.code, wrong.message]).to.deep.equal([
      'INVALID_OPTIONS',
      "publish: tenant of plugin 'tenants' should be a string.",
    ])
    const unknown = await refusal(() => bus.publish('orders.paid', 1, extra({ tenat: 'a' })))
    expect(unknown.code).to.equal('INVALID_OPTIONS')
    expect(unknown.message).to.match(/tenat.*tenant/)
    expect(seen).to.deep.equal([['a'], [undefined, 'b']])
  })
})
