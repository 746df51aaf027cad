import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { seen } from '../support/seen.js'
import { namespaceIsClean, world } from '../support/world.js'

const LEASE_MS = 1200

describe('a consumer process that is stopped past its lease, and continued', function () {
  this.timeout(60_000)
  const w = world()

  it('can settle nothing and publish nothing, and the next holder is untouched', async () => {
    const publisher = w.bus()
    const outputs = new Received<unknown>()
    await w.bus().consume('invoices.wanted', ({ body }) => outputs.add(body)).ready
    const consume = { group: 'ledger', concurrency: 1, lease: LEASE_MS }
    const worker = await w.worker({
      topic: 'orders.paid',
      behaviour: 'stage',
      outputTopic: 'invoices.wanted',
      consume,
    })
    const { id } = await publisher.publish('orders.paid', { n: 1, by: 'worker' })
    await worker.until('started')
    await seen(w, 'orders.paid', 'ledger')

    const gate = new Gate()
    const holding = new Received<number>()
    const next = w.bus()
    const settled = new Received<unknown>()
    await next.consume(
      'orders.paid',
      async ({ attempt }, context) => {
        holding.add(attempt)
        await gate.opened
        await context.publish('invoices.wanted', 'by the next holder')
        settled.add(attempt)
      },
      consume,
    ).ready
    worker.stop()
    // It crashed for all that anyone can tell.
    expect(await holding.count(1)).to.deep.equal([2])

    worker.tell({ do: 'release' })
    worker.continue()
    // Whichever it hears first: that its lease is lost, or what became of its settle.
    await worker.reports.until(
      (reports) =>
        reports.some(
          (report) =>
            (report.event === 'settled' && report.refused === 'LEASE_LOST') ||
            (report.event === 'ended' && report.error === 'LEASE_LOST') ||
            (report.event === 'aborted' && report.reason === 'LEASE_LOST'),
        ),
      'the worker to hear that its lease is lost',
    )
    worker.tell({ do: 'close' })
    await worker.ended
    expect(worker.of('settled').filter(({ refused }) => refused !== 'LEASE_LOST')).to.deep.equal([])
    expect(outputs.items).to.deep.equal([])
    expect(await publisher.topic('orders.paid').group('ledger').stats()).to.deep.include({
      inFlight: 1,
      ready: 0,
      retrying: 0,
      dead: 0,
    })

    gate.open()
    expect(await outputs.count(1)).to.deep.equal(['by the next holder'])
    await next.close()
    expect(outputs.items).to.have.length(1)
    expect(holding.items).to.deep.equal([2])
    expect(id).to.be.a('string')
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('goes on working with a new lease', async () => {
    const publisher = w.bus()
    const worker = await w.worker({
      topic: 'orders.paid',
      behaviour: 'ack',
      consume: { group: 'ledger', lease: LEASE_MS },
    })
    const watcher = w.bus()
    const topic = publisher.topic('orders.paid')
    await watcher.consume('orders.paid', () => {}, { group: 'other', lease: LEASE_MS }).ready
    worker.stop()
    const intruder = w.bus()
    await intruder.consume('orders.paid', () => {}, { group: 'ledger', lease: LEASE_MS }).ready
    await eventually(w, 'the stopped session to be removed', async () =>
      (await topic.group('ledger').stats()).consumers === 1 ? true : undefined,
    )
    await intruder.close()
    worker.continue()
    await publisher.publish('orders.paid', { n: 1 })
    await worker.until('settled')
    expect(worker.of('settled')[0]?.refused).to.equal(undefined)
  })
})
