import { BatchError, type Message } from '@busway/bus'
import { type MessageTrace, tracing } from '@busway/plugin-tracing'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { expect } from 'chai'
import { deadLetters, equipped, plugin } from '../plugins/equipped.js'
import { Gate, Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { eventNames, linked, spans as makeSpans, spanId, traceId } from './spans.js'

const activeId = (): string | undefined => trace.getActiveSpan()?.spanContext().spanId
const traceOf = (ctx: object): MessageTrace | undefined => (ctx as { trace?: MessageTrace }).trace

describe('tracing a consumer', () => {
  const world = makeWorld()
  const spans = makeSpans()
  const soon = { retry: { attempts: 3, delay: 1, jitter: 0 } }

  it('makes a consumer span, child of the send span and linked to it, active in the handler', async () => {
    const bus = equipped(world, [tracing()])
    const active = new Received<unknown>()
    await bus.consume(
      'orders.paid',
      async (_message, ctx) => {
        await new Promise((resolve) => setImmediate(resolve))
        active.add([activeId(), traceOf(ctx)])
      },
      { group: 'ledger' },
    ).ready
    const { id } = await bus.publish('orders.paid', { secret: 'body' })
    const send = await spans.named('send orders.paid')
    const process = await spans.named('process orders.paid')
    expect(process.kind).to.equal(SpanKind.CONSUMER)
    expect(process.parentSpanContext?.spanId).to.equal(spanId(send))
    expect(linked(process)).to.deep.equal([spanId(send)])
    const known = {
      'messaging.system': 'redis',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders.paid',
      'messaging.message.id': id,
      'messaging.consumer.group.name': 'ledger',
      'busway.message.attempt': 1,
      'busway.message.redelivered': false,
    }
    expect(process.attributes).to.deep.equal(known)
    expect(spans.started).to.deep.include(known)
    const told = { traceId: traceId(process), spanId: spanId(process), sampled: true }
    expect(await active.count(1)).to.deep.equal([[spanId(process), told]])
    expect(JSON.stringify(spans.ended.items.map(({ attributes, events }) => [attributes, events]))).not.to.contain(
      'secret',
    )
  })

  it('starts a trace of its own that is linked, if that is wanted, and says the size of the body', async () => {
    const bus = equipped(world, [tracing({ relation: 'link', bodySize: true })])
    await bus.consume('orders.paid', () => {}).ready
    await bus.publish('orders.paid', 'four')
    const send = await spans.named('send orders.paid')
    const process = await spans.named('process orders.paid')
    expect(process.parentSpanContext).to.equal(undefined)
    expect(traceId(process)).not.to.equal(traceId(send))
    expect(linked(process)).to.deep.equal([spanId(send)])
    expect(process.attributes['messaging.message.body.size']).to.equal(6)
  })

  it('makes a client span of the settle, inside that of the attempt, with the times of the request', async () => {
    const bus = equipped(world, [tracing()])
    await bus.consume('orders.paid', () => {}, { group: 'ledger' }).ready
    await bus.publish('orders.paid', 1)
    const settle = await spans.named('settle orders.paid')
    const process = await spans.named('process orders.paid')
    expect(settle.kind).to.equal(SpanKind.CLIENT)
    expect(settle.parentSpanContext?.spanId).to.equal(spanId(process))
    expect(settle.attributes).to.deep.include({
      'messaging.operation.type': 'settle',
      'messaging.consumer.group.name': 'ledger',
      'busway.outcome': 'done',
    })
    expect(settle.status.code).to.equal(SpanStatusCode.UNSET)
    const ms = ([seconds, nanos]: readonly [number, number]) => seconds * 1e3 + nanos / 1e6
    expect(ms(settle.endTime)).to.be.within(ms(settle.startTime), Date.now() + 1)
    expect(ms(settle.startTime)).to.be.at.least(ms(process.startTime) - 1)
  })

  it('makes no settle spans if they are not wanted', async () => {
    const bus = equipped(world, [tracing({ settle: false })])
    await bus.consume('orders.paid', () => {}).ready
    await bus.publish('orders.paid', 1)
    await spans.named('process orders.paid')
    await bus.close()
    expect(spans.all('settle orders.paid')).to.deep.equal([])
  })

  it('keeps one trace across a delay, every attempt, what the handler publishes, and a redrive', async () => {
    const bus = equipped(world, [tracing()])
    let isRepaired = false
    await bus.consume('invoices', () => {}).ready
    const subscription = bus.consume(
      'orders.paid',
      async (_message, ctx) => {
        if (!isRepaired) throw new RangeError('not yet')
        await ctx.publish('invoices', 1)
      },
      { group: 'ledger', ...soon },
    )
    await subscription.ready
    await bus.publish('orders.paid', 1, { delay: 5 })
    await deadLetters(world, bus, 'ledger')
    isRepaired = true
    await trace.getTracer('test').startActiveSpan('repair', async (span) => {
      await bus.topic('orders.paid').group('ledger').redrive('all')
      span.end()
    })
    const invoice = await spans.named('process invoices')
    const send = await spans.named('send orders.paid')
    const attempts = spans.all('process orders.paid')
    expect(attempts.map(({ attributes }) => attributes['busway.message.attempt'])).to.deep.equal([1, 2, 3, 1])
    expect(attempts.map(({ attributes }) => attributes['busway.message.redelivered'])).to.deep.equal([
      false,
      true,
      true,
      true,
    ])
    for (const attempt of attempts) expect(attempt.parentSpanContext?.spanId).to.equal(spanId(send))
    for (const failed of attempts.slice(0, 3)) {
      expect(failed.status).to.deep.equal({ code: SpanStatusCode.ERROR, message: 'not yet' })
      expect(failed.attributes['error.type']).to.equal('RangeError')
      expect(eventNames(failed)).to.deep.equal(['exception'])
    }
    const staged = await spans.named('send invoices')
    expect(staged.attributes['busway.staged']).to.equal(true)
    expect(staged.parentSpanContext?.spanId).to.equal(spanId(attempts[3] as (typeof attempts)[0]))
    expect(invoice.parentSpanContext?.spanId).to.equal(spanId(staged))
    expect(traceId(invoice)).to.equal(traceId(send))

    const settles = spans.all('settle orders.paid')
    expect(settles.map(eventNames).slice(0, 3)).to.deep.equal([
      ['busway.retry'],
      ['busway.retry'],
      ['busway.dead_letter'],
    ])
    expect(settles[2]?.events[0]?.attributes).to.deep.equal({
      'error.type': 'RangeError',
      'busway.dead_letter.reason': 'attempts',
    })
    const repair = await spans.named('repair')
    expect(repair.events.map(({ name, attributes }) => [name, attributes])).to.deep.equal([
      [
        'busway.redrive',
        {
          'messaging.destination.name': 'orders.paid',
          'messaging.consumer.group.name': 'ledger',
          'busway.redrive.count': 1,
        },
      ],
    ])
  })

  it('tells of a dead letter that never came to its handler, in the trace of its publisher', async () => {
    const bus = equipped(world, [
      tracing(),
      plugin('strict', (scope) =>
        scope.consume('decode', async () => {
          throw new Error('nonsense')
        }),
      ),
    ])
    await bus.consume('orders.paid', () => {}).ready
    await bus.publish('orders.paid', 1)
    const settle = await spans.named('settle orders.paid')
    expect(settle.attributes['busway.outcome']).to.equal('dead')
    expect(settle.parentSpanContext?.spanId).to.equal(spanId(await spans.named('send orders.paid')))
  })

  it('fails the settle span of a consumer that had lost its lease', async () => {
    const proxy = await world.proxy()
    const lost = equipped(world, [tracing()], { redis: proxy.url })
    const held = new Received<unknown>()
    const gate = new Gate()
    const short = { group: 'ledger', lease: 300, concurrency: 1 }
    await lost.consume(
      'orders.paid',
      async () => {
        held.add(1)
        await gate.opened
      },
      short,
    ).ready
    await lost.publish('orders.paid', 1)
    await held.count(1)
    proxy.hang()
    const bus = equipped(world, [])
    const taken = new Received<unknown>()
    await bus.consume('orders.paid', () => taken.add(1), short).ready
    await taken.count(1)
    proxy.heal()
    gate.open()
    const settle = await spans.named('settle orders.paid')
    expect(settle.attributes['error.type']).to.equal('LEASE_LOST')
    expect(settle.status.code).to.equal(SpanStatusCode.ERROR)
  })

  it('makes one span of a batch, linked to the creation of each message, with settles inside', async () => {
    const bus = equipped(world, [tracing()])
    const seen = new Received<unknown>()
    const publishers = await bus
      .publishBatch('orders.paid', [{ body: 'good' }, { body: 'bad' }])
      .then((receipts) => receipts.map(({ id }) => id))
    await bus.consumeBatch(
      'orders.paid',
      async (messages, ctx) => {
        seen.add([activeId(), traceOf(ctx.of(messages[0] as Message))?.spanId])
        await ctx.publish('invoices', messages.length)
        const bad = messages.filter(({ body, attempt }) => body === 'bad' && attempt === 1)
        if (bad.length > 0) throw new BatchError(bad.map(({ id }) => id))
      },
      { batch: { size: 2, wait: 100 }, ...soon },
    ).ready
    await spans.ended.until(
      (ended) => ended.filter(({ name }) => name === 'settle orders.paid').length === 3,
      'settles',
    )
    const [batch, again] = spans.all('process orders.paid')
    const created = spans.all('create orders.paid').map(spanId)
    expect(batch && linked(batch)).to.have.members(created)
    expect(batch?.links.map(({ attributes }) => attributes?.['messaging.message.id'])).to.have.members(publishers)
    expect(batch?.attributes).to.deep.include({ 'messaging.batch.message_count': 2, 'error.type': 'BATCH_FAILED' })
    expect(batch?.parentSpanContext).to.equal(undefined)
    expect(again?.attributes['messaging.batch.message_count']).to.equal(1)
    expect(again?.links.map(({ attributes }) => attributes?.['busway.message.attempt'])).to.deep.equal([2])
    const id = batch && spanId(batch)
    expect(seen.items[0]).to.deep.equal([id, id])
    expect((await spans.named('send invoices')).parentSpanContext?.spanId).to.equal(id)
    const settles = spans.all('settle orders.paid').filter(({ parentSpanContext }) => parentSpanContext?.spanId === id)
    expect(settles.map(({ attributes }) => attributes['busway.outcome'])).to.have.members(['done', 'retry'])
  })

  it('names trace and span in the log lines of a handler', async () => {
    const bus = equipped(world, [tracing()])
    await bus.consume('orders.paid', (_message, ctx) => ctx.log.info('handled')).ready
    await bus.publish('orders.paid', 1)
    const process = await spans.named('process orders.paid')
    expect(await world.log.first(({ msg }) => msg === 'handled')).to.include({
      trace_id: traceId(process),
      span_id: spanId(process),
      trace_flags: '01',
    })
  })
})
