import assert from 'node:assert/strict'
import { expect } from 'chai'
import { deadLetters } from '../plugins/equipped.js'
import { Gate, Received } from '../support/received.js'
import { seen } from '../support/seen.js'
import { world as makeWorld } from '../support/world.js'
import { anyPort, measured, scrape, valuesOf } from './measured.js'

describe('metrics of what happens', () => {
  const world = makeWorld()
  const group = { group: 'ledger' }

  it('count what was to be published, and time it, those that failed by their error', async () => {
    const bus = measured(world, anyPort, { maxPayload: 100 })
    await bus.publish('orders.paid', 1)
    await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }])
    await assert.rejects(bus.publish('orders.paid', 'x'.repeat(200)))
    const samples = await scrape(bus)
    const ok = 'topic=orders.paid operation=send'
    const failed = `${ok} error=PAYLOAD_TOO_LARGE`
    expect(valuesOf(samples, 'messaging_client_sent_messages_total')).to.deep.equal({ [ok]: 3, [failed]: 1 })
    expect(valuesOf(samples, 'messaging_client_operation_duration_count')).to.deep.equal({ [ok]: 2, [failed]: 1 })
    const buckets = samples.filter(
      ({ name, labels }) => name === 'messaging_client_operation_duration_bucket' && labels.error_type === undefined,
    )
    expect(buckets.map(({ labels }) => labels.le).join(' ')).to.equal(
      '0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf',
    )
    expect(samples[0]?.labels.messaging_system ?? samples[1]?.labels.messaging_system).to.equal('redis')
    // Finer than the milliseconds of a clock.
    const [sum] = samples.filter(({ name }) => name === 'messaging_client_operation_duration_sum')
    expect(sum?.value).to.be.within(1e-6, 5)
    expect((sum?.value as number) * 1000).to.not.equal(Math.round((sum?.value as number) * 1000))
  })

  it('count what consumers were given and what became of it; and time handlers, settles, and all of the way', async () => {
    const bus = measured(world)
    const invoices = new Received<unknown>()
    await bus.consume('invoices', ({ body }) => invoices.add(body), group).ready
    await bus.consume(
      'orders.paid',
      async ({ body }, ctx) => {
        if (body === 'bad') throw new RangeError('no')
        await ctx.publish('invoices', body)
      },
      { ...group, retry: { attempts: 2, delay: 1, jitter: 0 } },
    ).ready
    await bus.publish('orders.paid', 'good')
    await bus.publish('orders.paid', 'bad')
    await deadLetters(world, bus, 'ledger')
    await invoices.count(1)
    await bus.topic('orders.paid').group('ledger').redrive('all')
    await deadLetters(world, bus, 'ledger')
    const samples = await scrape(bus)
    const of = (name: string) =>
      Object.fromEntries(Object.entries(valuesOf(samples, name)).filter(([labels]) => labels.includes('orders.paid')))
    const paid = 'topic=orders.paid group=ledger'
    expect(of('messaging_client_consumed_messages_total')).to.deep.equal({ [`${paid} operation=receive`]: 5 })
    expect(of('messaging_process_duration_count')).to.deep.equal({
      [`${paid} operation=process`]: 1,
      [`${paid} operation=process error=RangeError`]: 4,
    })
    expect(of('busway_retries_total')).to.deep.equal({ [`${paid} error=RangeError`]: 2 })
    expect(of('busway_dead_letters_total')).to.deep.equal({ [`${paid} reason=attempts`]: 2 })
    expect(of('busway_redriven_total')).to.deep.equal({ [paid]: 1 })
    expect(of('busway_end_to_end_duration_count')).to.deep.equal({ [paid]: 1 })
    const settles = of('messaging_client_operation_duration_count')[`${paid} operation=settle`]
    expect(settles).to.be.within(1, 5)
    expect(valuesOf(samples, 'messaging_client_sent_messages_total')['topic=invoices operation=send']).to.equal(1)
    // Staged, it is timed with the settle.
    expect(valuesOf(samples, 'messaging_client_operation_duration_count')).to.not.have.property(
      'topic=invoices operation=send',
    )
  })

  it('count what is taken from a consumer that went silent, and the settles that it is refused', async () => {
    const proxy = await world.proxy()
    const lost = measured(world, anyPort, { redis: proxy.url })
    const bus = measured(world)
    const held = new Received<unknown>()
    const gate = new Gate()
    const short = { ...group, lease: 300, concurrency: 1, maxCrashes: 1 }
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
    await seen(world, 'orders.paid', 'ledger')
    proxy.hang()
    await bus.consume('orders.paid', () => {}, short).ready
    const [dead] = await deadLetters(world, bus, 'ledger')
    expect(dead?.reason).to.equal('crashes')
    proxy.heal()
    gate.open()
    await world.log.first(({ msg }) => msg.startsWith('The settle was refused'))
    const paid = 'topic=orders.paid group=ledger'
    const there = await scrape(bus)
    expect(valuesOf(there, 'busway_crashes_recovered_total')).to.deep.equal({ [paid]: 1 })
    expect(valuesOf(there, 'busway_dead_letters_total')).to.deep.equal({ [`${paid} reason=crashes`]: 1 })
    expect(valuesOf(await scrape(lost), 'busway_settles_refused_total')).to.deep.equal({ [paid]: 1 })
  })

  it('tell so many topics apart, and say when there are more', async () => {
    const bus = measured(world, { ...anyPort, maxTopics: 2 })
    for (const topic of ['a', 'b', 'c', 'd', 'a']) await bus.publish(topic, 1)
    const samples = await scrape(bus)
    expect(valuesOf(samples, 'messaging_client_sent_messages_total')).to.deep.equal({
      'topic=a operation=send': 2,
      'topic=b operation=send': 1,
      'topic=other operation=send': 2,
    })
    expect(Object.keys(valuesOf(samples, 'busway_topic_unclaimed'))).to.deep.equal(['topic=a', 'topic=b'])
    expect(world.log.items.filter(({ msg }) => /More than 2 topics: c and others/.test(msg))).to.have.length(1)
  })
})
