import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BuswayError } from '@busway/bus'
import deployed, { options } from '@busway/plugin-metrics'
import { metrics as telemetry } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { expect } from 'chai'
import { check, compileSchema } from '../../packages/bus/src/deployment/check.js'
import { refusal } from '../plugins/refusal.js'
import { world as makeWorld } from '../support/world.js'
import { measured, scrape } from './measured.js'

describe('the endpoint of metrics', () => {
  const world = makeWorld()

  it('listens from ready until close, where the bus and the log say', async () => {
    const bus = measured(world)
    expect(bus.metrics.url).to.equal(undefined)
    await bus.ready()
    const { url } = bus.metrics
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
    await world.log.first(({ msg, plugin }) => plugin === 'metrics' && msg.includes(`${url}`))
    const response = await fetch(`${url}`)
    expect(response.headers.get('content-type')).to.match(/^text\/plain/)
    expect(await response.text()).to.match(/^target_info\{service_name="test"/m)
    expect((await fetch(new URL('/', url))).status).to.equal(404)
    await bus.close()
    expect(bus.metrics.url).to.equal(undefined)
    expect(await fetch(`${url}`).catch((error) => error)).to.be.instanceOf(Error)
  })

  it('can have another path', async () => {
    const bus = measured(world, { prometheus: { port: 0, host: '127.0.0.1', path: '/busway' } })
    await bus.publish('orders.paid', 1)
    expect(bus.metrics.url).to.match(/\/busway$/)
    expect(await scrape(bus)).not.to.deep.equal([])
  })

  it('says which port is taken, which option sets it, and what to set', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    try {
      const error = await refusal(() => measured(world, { prometheus: { port, host: '127.0.0.1' } }).ready())
      expect(error).to.be.instanceOf(BuswayError)
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.equal(
        `metrics: port ${port} of 127.0.0.1 is taken (EADDRINUSE), probably by another service on this host. Give each its own with the option prometheus.port, or 0 for any that is free: the log and bus.metrics.url say which.`,
      )
      expect(error.details).to.deep.equal({ option: 'prometheus.port', port, host: '127.0.0.1' })
    } finally {
      other.close()
    }
  })

  it('says that it cannot listen at an address that is none of this host', async () => {
    const error = await refusal(() => measured(world, { prometheus: { port: 0, host: '192.0.2.1' } }).ready())
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.match(/prometheus\.host/)
  })

  it('gives two services on one host a port each, if they ask for any', async () => {
    const buses = [measured(world), measured(world)]
    for (const bus of buses) await bus.ready()
    expect(new Set(buses.map(({ metrics }) => metrics.url)).size).to.equal(2)
  })
})

describe('metrics without an endpoint', () => {
  const world = makeWorld()

  it('go to the SDK that is registered', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [reader] })
    telemetry.setGlobalMeterProvider(provider)
    try {
      const bus = measured(world, {})
      await bus.publish('orders.paid', 1)
      await provider.forceFlush()
      expect(bus.metrics.url).to.equal(undefined)
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics))
      const sent = all.find(({ descriptor }) => descriptor.name === 'messaging.client.sent.messages')
      expect(sent?.descriptor.unit).to.equal('{message}')
      expect(sent?.dataPoints.map(({ value, attributes }) => [value, attributes])).to.deep.equal([
        [
          1,
          {
            'messaging.system': 'redis',
            'messaging.destination.name': 'orders.paid',
            'messaging.operation.name': 'send',
            'messaging.operation.type': 'send',
          },
        ],
      ])
      expect(all.map(({ descriptor }) => descriptor.name)).to.include('busway.topic.unclaimed')
      await bus.close()
    } finally {
      telemetry.disable()
      await provider.shutdown()
    }
  })

  it('cost nothing if none is: nothing is observed', async () => {
    const bus = measured(world, {})
    expect(Object.values(bus.inspect().observers).flat()).to.deep.equal([])
    await bus.publish('orders.paid', 1)
  })

  it('say so if one is registered too late', async () => {
    const bus = measured(world, {})
    const provider = new MeterProvider()
    telemetry.setGlobalMeterProvider(provider)
    try {
      await bus.ready()
      await world.log.first(({ msg, plugin }) => plugin === 'metrics' && /Nothing is measured/.test(msg))
    } finally {
      telemetry.disable()
      await provider.shutdown()
    }
  })
})

describe('the options of metrics', () => {
  const wrong = async (given: unknown) => (await refusal(async () => deployed(given as object))).message

  it('are refused by name, with what they take', async () => {
    expect(await wrong({ port: 1 })).to.equal(
      "metrics: there is no option 'port'; it has prometheus, gauges, maxTopics.",
    )
    expect(await wrong({ prometheus: { prot: 1 } })).to.equal(
      "metrics: prometheus: there is no option 'prot'; it has port, host, path.",
    )
    for (const port of [-1, 65_536, 1.5, '9464'])
      expect(await wrong({ prometheus: { port } })).to.match(/prometheus\.port should be a port/)
    expect(await wrong({ prometheus: { host: '' } })).to.match(/prometheus\.host/)
    expect(await wrong({ prometheus: { path: 'metrics' } })).to.match(/prometheus\.path/)
    expect(await wrong({ prometheus: true })).to.match(/an object/)
    expect(await wrong({ gauges: 'some' })).to.match(/gauges should be/)
    for (const maxTopics of [0, 10_001, '5']) expect(await wrong({ maxTopics })).to.match(/maxTopics should be/)
    expect((await refusal(async () => deployed({ x: 1 } as object))).code).to.equal('INVALID_OPTIONS')
  })

  it('have a schema for deployment files, which refuses the same', async () => {
    const schema = await compileSchema(options, 'metrics')
    for (const right of [{}, { prometheus: {} }, { prometheus: { port: 0, host: '::1', path: '/m' }, gauges: ['a'] }])
      check(schema, right, 'metrics')
    for (const bad of [{ port: 1 }, { prometheus: { port: 65_536 } }, { gauges: 'some' }, { maxTopics: 0 }])
      expect(() => check(schema, bad, 'metrics')).to.throw()
  })
})
