import assert from 'node:assert/strict'
import { temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import dashboard from '../../packages/plugin-metrics/dashboard.json' with { type: 'json' }
import { deadLetters } from '../plugins/equipped.js'
import { Gate, Received } from '../support/received.js'
import { world as makeWorld, type World } from '../support/world.js'
import { anyPort, measured } from './measured.js'
import { findPrometheus, startPrometheus } from './prometheus.js'

const FETCHING_MS = 300_000

describe('a Prometheus that scrapes two services', function () {
  this.timeout(60_000)
  const world = makeWorld()
  let command: string

  before(async function () {
    this.timeout(FETCHING_MS)
    const found = await findPrometheus()
    if ('command' in found) {
      command = found.command
      return
    }
    if (process.env.CI || process.env.BUSWAY_CI) throw new Error(`There is no Prometheus: ${found.reason}`)
    this.skip()
  })

  it('gets data for every query of the dashboard, and values for its variables', async () => {
    const urls = await eventfulServices(world)
    await using folder = await temporaryFolder()
    const prometheus = await startPrometheus(
      command,
      folder,
      urls.map((url) => new URL(url).host),
    )
    try {
      const expressions = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))
      expect(expressions.length).to.be.at.least(dashboard.panels.length)
      for (const { expr } of expressions) {
        const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$topic', '.*').replaceAll('$group', '.*')
        expect(query).to.not.contain('$')
        const series = await prometheus.data(query)
        // Each line can be told from the others.
        for (const { metric } of series) expect(Object.keys(metric), query).to.include('messaging_destination_name')
      }
      for (const { name, definition = '' } of dashboard.templating.list) {
        if (definition === '') continue
        const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? []
        const values = await prometheus.ask(`label/${label}/values`, { 'match[]': metric })
        expect(values, name).to.include(name === 'topic' ? 'orders.paid' : 'ledger')
      }
      const up = await prometheus.data('up == 1')
      expect(up).to.have.length(2)
      const [sent] = await prometheus.data(
        'sum(messaging_client_sent_messages_total{messaging_destination_name="invoices"})',
      )
      expect(sent?.value[1]).to.equal('1')
    } finally {
      await prometheus.stop()
    }
  })
})

/** Two services to which everything has happened that is measured. Where their metrics are. */
async function eventfulServices(world: World): Promise<string[]> {
  const proxy = await world.proxy()
  const lost = measured(world, anyPort, { redis: proxy.url })
  const bus = measured(world, anyPort, { maxPayload: 100 })
  const short = { group: 'ledger', lease: 300, concurrency: 1, retry: { attempts: 2, delay: 1, jitter: 0 } }
  const held = new Received<unknown>()
  const invoices = new Received<unknown>()
  const gate = new Gate()
  await lost.consume(
    'orders.paid',
    async () => {
      held.add(1)
      await gate.opened
    },
    short,
  ).ready
  await bus.publish('orders.paid', 'good')
  await held.count(1)
  proxy.hang()
  await bus.consume('invoices', ({ body }) => invoices.add(body), { group: 'ledger' }).ready
  await bus.consume(
    'orders.paid',
    async ({ body }, ctx) => {
      if (body === 'bad') throw new RangeError('no')
      await ctx.publish('invoices', body)
    },
    short,
  ).ready
  await invoices.count(1)
  proxy.heal()
  gate.open()
  await world.log.first(({ msg }) => msg.startsWith('The settle was refused'))
  await bus.publish('orders.paid', 'bad')
  await deadLetters(world, bus, 'ledger')
  await bus.topic('orders.paid').group('ledger').redrive('all')
  await deadLetters(world, bus, 'ledger')
  await assert.rejects(bus.publish('orders.paid', 'x'.repeat(200)))
  await bus.publish('orders.paid', 'later', { delay: '1h' })
  return [lost, bus].map(({ metrics }) => `${metrics.url}`)
}
