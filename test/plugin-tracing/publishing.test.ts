import assert from 'node:assert/strict'
import { tracing } from '@busway/plugin-tracing'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { expect } from 'chai'
import { equipped, plugin } from '../plugins/equipped.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { eventNames, linked, spans as makeSpans, spanId, traceId } from './spans.js'

describe('tracing a publish', () => {
  const world = makeWorld()
  const spans = makeSpans()
  const tracer = trace.getTracer('test')

  it('makes a producer span by the messaging conventions, all of which a sampler sees but what only Redis knows', async () => {
    const bus = equipped(world, [tracing()])
    const receipt = await bus.publish('orders.paid', { secret: 'body' })
    const span = await spans.named('send orders.paid')
    const known = {
      'messaging.system': 'redis',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders.paid',
    }
    expect(span.kind).to.equal(SpanKind.PRODUCER)
    expect(spans.started).to.deep.equal([known])
    expect(span.attributes).to.deep.equal({ ...known, 'messaging.message.id': receipt.id })
    expect(span.status.code).to.equal(SpanStatusCode.UNSET)
  })

  it('tells a sampler the id that a publisher gave, and afterwards that it was a duplicate', async () => {
    const bus = equipped(world, [tracing()])
    await bus.publish('orders.paid', 1, { id: 'mine' })
    await bus.publish('orders.paid', 1, { id: 'mine' })
    await spans.ended.count(2)
    expect(spans.started.map((attributes) => attributes['messaging.message.id'])).to.deep.equal(['mine', 'mine'])
    expect(spans.all('send orders.paid').map(({ attributes }) => attributes['busway.duplicate'])).to.deep.equal([
      undefined,
      true,
    ])
  })

  it("is a child of the caller's span, and the message carries its context", async () => {
    const bus = equipped(world, [tracing()])
    const headers = new Received<Readonly<Record<string, string>>>()
    await bus.consume('orders.paid', (message) => headers.add(message.headers)).ready
    await tracer.startActiveSpan('caller', async (caller) => {
      await bus.publish('orders.paid', 1, { headers: { own: 'header' } })
      caller.end()
    })
    const send = await spans.named('send orders.paid')
    const caller = await spans.named('caller')
    expect(send.parentSpanContext?.spanId).to.equal(spanId(caller))
    expect((await headers.count(1))[0]).to.deep.equal({
      own: 'header',
      traceparent: `00-${traceId(send)}-${spanId(send)}-01`,
    })
  })

  it('says the size of the body if it is asked to', async () => {
    const bus = equipped(world, [tracing({ bodySize: true })])
    await bus.publish('orders.paid', 'four')
    expect((await spans.named('send orders.paid')).attributes['messaging.message.body.size']).to.equal(6)
  })

  it('gives each message of a batch a creation context of its own, and one span of the call links to them all', async () => {
    const bus = equipped(world, [tracing()])
    const parents = new Received<string | undefined>()
    await bus.consume('orders.paid', ({ headers }) => parents.add(headers.traceparent?.split('-')[2])).ready
    await bus.publishBatch('orders.paid', [{ body: 1, id: 'a' }, { body: 2 }])
    const send = await spans.named('send orders.paid')
    const created = spans.all('create orders.paid')
    expect(created.map(({ kind, attributes }) => [kind, attributes['messaging.message.id']])).to.deep.equal([
      [SpanKind.PRODUCER, 'a'],
      [SpanKind.PRODUCER, undefined],
    ])
    expect(send.kind).to.equal(SpanKind.CLIENT)
    expect(send.attributes['messaging.batch.message_count']).to.equal(2)
    expect(linked(send)).to.deep.equal(created.map(spanId))
    expect(await parents.count(2)).to.have.members(created.map(spanId))
  })

  it('leaves a message the context that it comes with, and links to it', async () => {
    const bus = equipped(world, [tracing()])
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const seen = new Received<string | undefined>()
    await bus.consume('orders.paid', ({ headers }) => seen.add(headers.traceparent)).ready
    await bus.publish('orders.paid', 1, { headers: { traceparent } })
    expect(await seen.count(1)).to.deep.equal([traceparent])
    const send = await spans.named('send orders.paid')
    expect(linked(send)).to.deep.equal(['b7ad6b7169203331'])
    expect(send.kind).to.equal(SpanKind.CLIENT)
  })

  it('fails the span of a publish that failed: its type, its status, its exception', async () => {
    const closed = plugin('closed', (scope) =>
      scope.guard({
        at: 'publish',
        name: 'no',
        keys: () => [],
        args: () => [],
        lua: "return { check = function() return reject('closed') end }",
      }),
    )
    for (const exceptions of [true, false]) {
      const bus = equipped(world, [tracing({ exceptions }), closed])
      await assert.rejects(bus.publish('orders.paid', 1))
    }
    const [told, quiet] = await spans.ended.count(2)
    for (const span of [told, quiet]) {
      expect(span?.status.code).to.equal(SpanStatusCode.ERROR)
      expect(span?.attributes['error.type']).to.equal('PUBLISH_REJECTED')
    }
    expect(told && eventNames(told)).to.deep.equal(['exception'])
    expect(quiet && eventNames(quiet)).to.deep.equal([])
    expect(quiet?.status.message).to.equal(undefined)
  })

  it('carries baggage to the handler', async () => {
    const bus = equipped(world, [tracing()])
    const seen = new Received<unknown>()
    await bus.consume('orders.paid', ({ headers }) => {
      seen.add([headers.baggage, propagation.getActiveBaggage()?.getEntry('tenant')?.value])
    }).ready
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } })
    await context.with(propagation.setBaggage(context.active(), baggage), () => bus.publish('orders.paid', 1))
    expect(await seen.count(1)).to.deep.equal([['tenant=acme', 'acme']])
  })
})
