import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const LEASE_MS = 1500
const RENEW_MS = LEASE_MS / 3
/** What a busy machine of two cores may add to any of it. */
const SLACK_MS = 1500

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('a consumer process that is killed with kill -9', function () {
  this.timeout(60_000)
  const w = world()

  it('has its messages run elsewhere within lease and renew interval; those not started count no crash', async () => {
    const publisher = w.bus()
    const concurrency = 3
    const worker = await w.worker({
      topic: 'orders.paid',
      behaviour: 'hold',
      consume: { group: 'ledger', concurrency, lease: LEASE_MS, lookahead: '10s' },
    })
    // Quick ones first, so that the worker expects its handlers to be quick, and fetches ahead.
    await publisher.publishBatch(
      'orders.paid',
      numbers(100).map(() => ({ body: { hold: false } })),
    )
    await worker.until('settled', 100)
    await publisher.publishBatch(
      'orders.paid',
      numbers(50).map((n) => ({ body: { n, hold: true } })),
    )
    await worker.until('started', 100 + concurrency)
    const begun = worker
      .of('started')
      .slice(100)
      .map(({ id }) => id)
    const held = (await publisher.topic('orders.paid').group('ledger').stats()).inFlight
    expect(held).to.be.greaterThan(concurrency)

    const runs = new Received<{ id: string; n: number; attempt: number; redelivered: boolean; atMs: number }>()
    const survivor = w.bus()
    await survivor.consume(
      'orders.paid',
      ({ id, attempt, redelivered, body }) =>
        runs.add({ id, n: (body as { n: number }).n, attempt, redelivered, atMs: performance.now() }),
      { group: 'ledger', concurrency: 10, lease: LEASE_MS },
    ).ready
    const killedMs = performance.now()
    await worker.kill()
    const all = await runs.count(50)
    expect((all.at(-1)?.atMs as number) - killedMs).to.be.at.most(LEASE_MS + RENEW_MS + SLACK_MS)
    await survivor.close()

    expect(runs.items.map(({ n }) => n).sort((a, b) => a - b)).to.deep.equal(numbers(50))
    const again = runs.items.filter(({ attempt }) => attempt > 1)
    expect(again.map(({ id }) => id).sort()).to.deep.equal([...begun].sort())
    expect(again.every(({ attempt, redelivered }) => attempt === 2 && redelivered)).to.equal(true)
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('loses nothing of what it had published with its settles', async () => {
    const publisher = w.bus()
    const outputs = new Received<number>()
    const consume = { group: 'ledger', concurrency: 5, lease: LEASE_MS }
    const workers = await Promise.all(
      [1, 2].map(() => w.worker({ topic: 'orders.paid', behaviour: 'stage', outputTopic: 'invoices.wanted', consume })),
    )
    const reader = w.bus()
    await reader.consume('invoices.wanted', ({ body }) => outputs.add((body as { n: number }).n)).ready
    const publishing = (async () => {
      for (const n of numbers(400)) await publisher.publish('orders.paid', { n, hold: false })
    })()
    await outputs.count(100)
    await workers[0]?.kill()
    await publishing
    await outputs.count(400)
    workers[1]?.tell({ do: 'close' })
    await workers[1]?.ended
    await reader.close()
    expect([...outputs.items].sort((a, b) => a - b)).to.deep.equal(numbers(400))
    await publisher.close()
    await namespaceIsClean(w.redis, w.namespace)
  })
})
