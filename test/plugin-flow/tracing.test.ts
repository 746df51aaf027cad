/** A flow in a trace: its parts belong to that of whoever published it. */
import { createBus } from '@busway/bus'
import { flow } from '@busway/plugin-flow'
import { tracing } from '@busway/plugin-tracing'
import { trace } from '@opentelemetry/api'
import { expect } from 'chai'
import { spans as makeSpans } from '../plugin-tracing/spans.js'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

describe('the trace of a flow', () => {
  const w = world()
  makeSpans()

  for (const order of ['tracing first', 'flow first'] as const) {
    it(`has all its messages, with ${order}`, async () => {
      const { server, namespace, log } = w
      const plugins = order === 'tracing first' ? ([tracing(), flow()] as const) : ([flow(), tracing()] as const)
      const bus = createBus({ service: 'reports', redis: server.url, namespace, logger: log.logger, plugins })
      w.atEnd(() => bus.close())
      const traces = new Received<string | undefined>()
      const traceId = () => trace.getActiveSpan()?.spanContext().traceId
      await bus.consume('parts', () => traces.add(traceId())).ready
      await bus.consume('added', () => traces.add(traceId())).ready
      await bus.consume('whole', async (_, ctx) => {
        traces.add(traceId())
        const isFirst = (await ctx.children()).length === 2
        return isFirst ? ctx.waitFor([{ topic: 'added', body: 3 }]) : undefined
      }).ready
      const published = await trace.getTracer('test').startActiveSpan('order', async (span) => {
        const children = [1, 2].map((body) => ({ topic: 'parts', body }))
        await bus.flows.publish({ topic: 'whole', body: 0, children })
        span.end()
        return span.spanContext().traceId
      })
      expect(published).to.match(/[1-9a-f]/)
      // Two parts, the whole, what its handler added, and the whole once more.
      expect(await traces.count(5)).to.deep.equal(Array.from({ length: 5 }, () => published))
    })
  }
})
