import deployed, { options, tracing } from '@busway/plugin-tracing'
import { trace } from '@opentelemetry/api'
import { expect } from 'chai'
import { check, compileSchema } from '../../packages/bus/src/deployment/check.js'
import { equipped } from '../plugins/equipped.js'
import { refusal } from '../plugins/refusal.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'

describe('tracing without an SDK', () => {
  const world = makeWorld()

  it('adds nothing to messages, contexts and log lines', async () => {
    const bus = equipped(world, [tracing()])
    const seen = new Received<unknown>()
    await bus.consume('orders.paid', ({ headers }, ctx) => {
      ctx.log.info('handled')
      seen.add([headers, Reflect.get(ctx, 'trace')])
    }).ready
    await bus.publish('orders.paid', 1)
    await bus.publishBatch('orders.paid', [{ body: 2 }, { body: 3 }])
    expect(await seen.count(3)).to.deep.equal([
      [{}, undefined],
      [{}, undefined],
      [{}, undefined],
    ])
    expect(await world.log.first(({ msg }) => msg === 'handled')).to.not.have.property('trace_id')
  })

  it('leaves messages their short way: it declares nothing', () => {
    const { plugins, chains } = equipped(world, [tracing()]).inspect()
    expect(plugins.map(({ name }) => name)).to.deep.equal(['tracing'])
    expect(Object.values(chains).flat()).to.deep.equal([])
  })

  it('says so if one is registered too late', async () => {
    const early = equipped(world, [tracing()])
    const earlier = equipped(world, [tracing()])
    await earlier.ready()
    const tracer = trace.getTracer('any')
    trace.setGlobalTracerProvider({ getTracer: () => tracer })
    try {
      await early.ready()
      const line = await world.log.first(({ msg }) => /Nothing is traced/.test(`${msg}`))
      expect(line).to.include({ plugin: 'tracing', level: 40 })
      await earlier.close()
      await world.log.until((lines) => lines.filter(({ msg }) => msg === line.msg).length === 2, 'a second warning')
    } finally {
      trace.disable()
    }
  })
})

describe('the options of tracing', () => {
  it('are refused by name, with what they take', async () => {
    const wrong = async (given: unknown) => (await refusal(async () => tracing(given as object))).message
    expect(await wrong({ relation: 'child' })).to.equal('tracing: relation should be parent or link.')
    expect(await wrong({ settle: 1 })).to.equal('tracing: settle should be true or false.')
    expect(await wrong({ sampler: 1 })).to.match(/no option 'sampler'; it has relation, bodySize, settle, exceptions/)
    expect(await wrong([])).to.match(/an object/)
    expect((await refusal(async () => tracing({ x: 1 } as object))).code).to.equal('INVALID_OPTIONS')
  })

  it('have a schema for deployment files, which allows what the function does', async () => {
    const schema = await compileSchema(options, 'tracing')
    check(schema, { relation: 'link', bodySize: true, settle: false, exceptions: false }, 'tracing')
    for (const wrong of [{ relation: 'child' }, { settle: 'maybe' }, { sampler: 1 }])
      expect(() => check(schema, wrong, 'tracing')).to.throw()
    expect(deployed).to.equal(tracing)
  })
})
