import { createBus, defineTopics, type } from '@busway/bus'
import { metrics } from '@busway/plugin-metrics'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { anyPort, measured, scrape, valuesOf } from './measured.js'

describe('metrics of the state of queues', () => {
  const world = makeWorld()

  it('say for each group what waits, runs, is retried, held and dead; for each topic what no group has', async () => {
    const bus = measured(world)
    const gate = new Gate()
    const held = new Received<unknown>()
    await bus.publish('early', 1)
    const subscription = bus.consume(
      'orders.paid',
      async ({ body }) => {
        if (body === 'bad') throw new Error('no')
        held.add(body)
        await gate.opened
      },
      { group: 'ledger', concurrency: 1, lookahead: 0, retry: { attempts: 2, delay: '1h', jitter: 0 } },
    )
    await subscription.ready
    await bus.consume('orders.void', () => Promise.reject(new Error('no')), { group: 'ledger', retry: false }).ready
    await bus.publish('orders.void', 1)
    await eventually(world, 'a dead letter', async () =>
      (await bus.topic('orders.void').group('ledger').stats()).dead === 1 ? true : undefined,
    )
    await bus.publish('orders.paid', 'bad')
    await bus.publish('orders.paid', 'runs')
    await held.count(1)
    await bus.publish('orders.paid', 'waits')
    await bus.publish('orders.paid', 'waits')
    await bus.publish('orders.paid', 'later', { delay: '1h' })
    const samples = await scrape(bus)
    const paid = 'topic=orders.paid group=ledger'
    const value = (name: string, labels = paid) => valuesOf(samples, name)[labels]
    expect(value('busway_group_in_flight')).to.equal(1)
    expect(value('busway_group_ready')).to.equal(2)
    expect(value('busway_group_retrying')).to.equal(1)
    expect(value('busway_group_held')).to.equal(0)
    expect(value('busway_group_consumers')).to.equal(1)
    expect(value('busway_group_paused')).to.equal(0)
    expect(value('busway_group_oldest_age')).to.be.within(0, 15)
    expect(value('busway_topic_scheduled', 'topic=orders.paid')).to.equal(1)
    expect(value('busway_topic_unclaimed', 'topic=early')).to.equal(1)
    expect(value('busway_topic_outbox', 'topic=early')).to.equal(0)
    expect(value('busway_group_dead', 'topic=orders.void group=ledger')).to.equal(1)
    gate.open()
  })

  it('are read of the topics that the bus defines, consumes and meets, of all, of those of a list, or of none', async () => {
    const other = world.bus()
    await other.publish('elsewhere', 1)
    const listed = measured(world)
    await listed.consume('idle', () => {}).ready
    expect(valuesOf(await scrape(listed), 'busway_group_consumers')).to.deep.equal({ 'topic=idle group=test': 1 })
    await listed.close()
    const read = async (gauges: NonNullable<Parameters<typeof metrics>[0]>['gauges']) => {
      await using bus = createBus({
        service: 'test',
        redis: world.server.url,
        namespace: world.namespace,
        logger: world.log.logger,
        topics: defineTopics({ defined: type<number>(), met: type<number>() }),
        plugins: [metrics({ ...anyPort, gauges })],
      })
      await bus.publish('met', 1)
      return Object.keys(valuesOf(await scrape(bus), 'busway_topic_scheduled'))
    }
    expect(await read('own')).to.deep.equal(['topic=defined', 'topic=met'])
    expect(await read('all')).to.deep.equal(['topic=elsewhere', 'topic=idle', 'topic=met'])
    expect(await read(['elsewhere'])).to.deep.equal(['topic=elsewhere'])
    expect(await read(false)).to.deep.equal([])
  })

  it('are missing while Redis does not answer; the rest is served in time, and that is said once', async () => {
    const proxy = await world.proxy()
    const bus = measured(world, anyPort, { redis: proxy.url })
    await bus.publish('orders.paid', 1)
    proxy.hang()
    for (let i = 0; i < 2; i++) {
      const samples = await scrape(bus)
      expect(valuesOf(samples, 'busway_topic_unclaimed')).to.deep.equal({})
      expect(valuesOf(samples, 'messaging_client_sent_messages_total')).to.have.property(
        'topic=orders.paid operation=send',
      )
    }
    expect(world.log.items.filter(({ msg }) => /could not be read/.test(msg))).to.have.length(1)
    proxy.heal()
    await bus.publish('orders.paid', 1)
    expect(valuesOf(await scrape(bus), 'busway_topic_unclaimed')).to.deep.equal({ 'topic=orders.paid': 2 })
  })
})
