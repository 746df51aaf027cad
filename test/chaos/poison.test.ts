import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { Worker } from '../support/worker.js'
import { world } from '../support/world.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const LEASE_MS = 900
const MAX_CRASHES = 3

describe('a poison message, which kills each process that runs it', function () {
  this.timeout(180_000)
  const w = world()

  it('is a dead letter after maxCrashes; everything else proceeds, and no innocent dies', async () => {
    const bus = w.bus()
    const workers: Worker[] = []
    let over = false
    const consume = {
      group: 'ledger',
      concurrency: 5,
      lease: LEASE_MS,
      maxCrashes: MAX_CRASHES,
      retry: { attempts: 50 },
    }
    // As an orchestrator does: whatever dies is started again.
    const keepOneRunning = async () => {
      while (!over) {
        const worker = await w.worker({ topic: 'orders.paid', behaviour: 'poison', workMs: 20, consume })
        workers.push(worker)
        if (over) await worker.kill()
        await worker.exited
      }
    }
    const innocents = 120
    await bus.publishBatch(
      'orders.paid',
      numbers(innocents + 1).map((n) => ({ body: n === 30 ? { poison: true } : { n } })),
    )
    const slots = [keepOneRunning(), keepOneRunning()]
    const stats = await eventually(
      w,
      'everything to be over',
      async () => {
        const group = (await bus.topic('orders.paid').stats()).groups.ledger
        return group && group.ready + group.inFlight + group.retrying === 0 && group.dead > 0 ? group : undefined
      },
      60_000,
    )
    over = true
    for (const worker of workers) await worker.kill()
    await Promise.all(slots)

    expect(stats.dead).to.equal(1)
    const [letter] = (await bus.topic('orders.paid').group('ledger').deadLetters()).items
    expect(letter).to.deep.include({ reason: 'crashes', crashes: MAX_CRASHES, body: { poison: true } })
    const settled = workers.flatMap((worker) => worker.of('settled')).filter(({ refused }) => !refused)
    expect(settled.every(({ outcome }) => outcome === 'done')).to.equal(true)
    const started = workers.flatMap((worker) => worker.of('started'))
    const ran = new Set(started.map(({ body }) => (body as { n?: number }).n))
    expect(ran.size).to.equal(innocents + 1)
    // It may have run once more than it was convicted: a crash counts for the first `concurrency` that were not settled, and some of those were done.
    const poisoned = started.filter(({ body }) => (body as { poison?: boolean }).poison)
    expect(Math.max(...poisoned.map(({ attempt }) => attempt))).to.equal(MAX_CRASHES)
    expect(letter?.attempts).to.equal(MAX_CRASHES)
  })

  it('of one topic of a pattern convicts no message of another topic, though they run in one process', async () => {
    const bus = w.bus()
    const topics = numbers(4).map((n) => `orders.t${n}`)
    const consume = { group: 'ledger', concurrency: 5, lease: LEASE_MS, maxCrashes: 2, retry: { attempts: 50 } }
    const workers: Worker[] = []
    let over = false
    const keepOneRunning = async () => {
      while (!over) {
        const worker = await w.worker({ topic: 'orders.*', behaviour: 'poison', workMs: 20, consume })
        workers.push(worker)
        if (over) await worker.kill()
        await worker.exited
      }
    }
    for (const topic of topics)
      await bus.publishBatch(
        topic,
        numbers(15).map((n) => ({ body: topic === 'orders.t1' && n === 5 ? { poison: true } : { n } })),
      )
    const slots = [keepOneRunning(), keepOneRunning()]
    const dead = await eventually(
      w,
      'everything to be over',
      async () => {
        const groups = await Promise.all(topics.map(async (topic) => (await bus.topic(topic).stats()).groups.ledger))
        const waiting = groups.map((group) => (group === undefined ? 1 : group.ready + group.inFlight + group.retrying))
        const dead = groups.map((group) => group?.dead ?? 0)
        return waiting.every((count) => count === 0) && dead.some((count) => count > 0) ? dead : undefined
      },
      60_000,
    )
    over = true
    for (const worker of workers) await worker.kill()
    await Promise.all(slots)
    expect(dead).to.deep.equal([0, 1, 0, 0])
  })
})
