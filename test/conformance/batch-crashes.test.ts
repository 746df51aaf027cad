/** Batches whose process is killed or stopped while they run. */
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import type { Worker } from '../support/worker.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const LEASE_MS = 900
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('a batch whose process', (world) => {
  it('is killed with kill -9 publishes exactly once what its messages are settled with', async function () {
    this.timeout(60_000)
    const publisher = world.bus()
    const outputs = new Received<number>()
    await world.bus().consume('ledger.booked', ({ body }) => {
      for (const { n } of body as { n: number }[]) outputs.add(n)
    }).ready
    const setup = {
      topic: 'orders.paid',
      behaviour: 'stage' as const,
      outputTopic: 'ledger.booked',
      batch: { size: 10, wait: 20 },
      consume: { group: 'ledger', lease: LEASE_MS, concurrency: 2 },
    }
    const victim = await world.worker(setup)
    await publisher.publishBatch(
      'orders.paid',
      // The fourth batch is killed in its middle: it has published, and does not return.
      numbers(100).map((n) => ({ body: { n, hold: n === 35 } })),
    )
    // All others are settled.
    await outputs.count(90)
    await victim.kill()
    const survivor = await world.worker({ ...setup, behaviour: 'stage' })
    survivor.tell({ do: 'release' })
    await outputs.count(100)
    survivor.tell({ do: 'close' })
    await survivor.ended
    expect([...outputs.items].sort((a, b) => a - b)).to.deep.equal(numbers(100))
    const again = survivor.of('started').filter(({ attempt }) => attempt > 1)
    expect(again.map(({ body }) => (body as { n: number }).n).sort((a, b) => a - b)).to.deep.equal(numbers(10, 30))
    // Each of them may be what killed the process.
    expect(Math.max(...again.map(({ attempt }) => attempt))).to.equal(2)
    await publisher.close()
  })

  it('dies of one of its messages has that one found out, and no other is blamed', async function () {
    this.timeout(120_000)
    const bus = world.bus()
    const workers: Worker[] = []
    let over = false
    const keepRunning = async () => {
      while (!over) {
        const worker = await world.worker({
          topic: 'orders.paid',
          behaviour: 'poison',
          workMs: 5,
          batch: { size: 20, wait: 20 },
          consume: { group: 'ledger', lease: LEASE_MS, maxCrashes: 3 },
        })
        workers.push(worker)
        if (over) await worker.kill()
        await worker.exited
      }
    }
    await bus.publishBatch(
      'orders.paid',
      numbers(60).map((n) => ({ body: n === 33 ? { poison: true } : { n } })),
    )
    world.atEnd(() => {
      over = true
    })
    const running = keepRunning()
    const group = bus.topic('orders.paid').group('ledger')
    await eventually(
      world,
      'everything to be over',
      async () => {
        const stats = (await bus.topic('orders.paid').stats()).groups.ledger
        return stats && stats.ready + stats.inFlight + stats.retrying === 0 && stats.dead > 0 ? true : undefined
      },
      90_000,
    )
    over = true
    for (const worker of workers) await worker.kill()
    await running
    const { items } = await group.deadLetters()
    expect(items).to.have.length(1)
    expect(items[0]).to.deep.include({ reason: 'crashes', crashes: 3, body: { poison: true } })
    const settled = workers.flatMap((worker) => worker.of('settled'))
    expect(settled.every(({ outcome }) => outcome === 'done')).to.equal(true)
    expect(new Set(settled.map(({ id }) => id)).size).to.be.at.most(59)
    // After the first crash each of those that ran with it runs as a batch of one.
    const suspects = workers.slice(1).flatMap((worker) => worker.of('started').filter(({ attempt }) => attempt > 1))
    expect(suspects.length).to.be.at.least(20)
  })

  it('is stopped past its lease settles and publishes nothing of it, and all of it runs elsewhere', async function () {
    this.timeout(60_000)
    const publisher = world.bus()
    const outputs = new Received<unknown>()
    await world.bus().consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    const consume = { group: 'ledger', lease: LEASE_MS }
    const worker = await world.worker({
      topic: 'orders.paid',
      behaviour: 'stage',
      outputTopic: 'ledger.booked',
      batch: { size: 5, wait: 1000 },
      consume,
    })
    await publisher.publishBatch(
      'orders.paid',
      numbers(5).map((n) => ({ body: { n } })),
    )
    await worker.until('started', 5)
    worker.stop()
    const elsewhere = new Received<number>()
    const next = world.bus()
    await next.consume('orders.paid', ({ attempt }) => elsewhere.add(attempt), consume).ready
    expect(await elsewhere.count(5)).to.deep.equal([2, 2, 2, 2, 2])
    worker.tell({ do: 'release' })
    worker.continue()
    await worker.until('settled', 5)
    worker.tell({ do: 'close' })
    await worker.ended
    expect(worker.of('settled').map(({ refused }) => refused)).to.deep.equal(Array(5).fill('LEASE_LOST'))
    await next.close()
    expect(outputs.items).to.deep.equal([])
    expect(elsewhere.items).to.have.length(5)
    await publisher.close()
    await namespaceIsClean(world.redis, world.namespace)
  })
})
