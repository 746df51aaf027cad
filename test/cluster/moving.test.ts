import { expect } from 'chai'
import { Redis } from 'ioredis'
import { slotOf } from '../../packages/bus/src/redis/slots.js'
import { clusterWorld } from '../support/cluster-world.js'
import type { Publisher } from '../support/publisher.js'
import { Received } from '../support/received.js'
import { moveSlot } from '../support/reshard.js'
import type { Worker } from '../support/worker.js'

const TOPIC = 'orders.paid'
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('a slot of a cluster', function () {
  this.timeout(120_000)
  const w = clusterWorld()
  const consume = { group: 'ledger', lease: 3_000 }
  const workers = () => Promise.all([0, 1].map(() => w.worker({ topic: TOPIC, behaviour: 'ack', consume })))
  const started = (consumers: readonly Worker[]) =>
    consumers.flatMap((each) => each.of('started').map(({ body }) => body as number))
  /** All that was confirmed has been run. */
  const allHandled = async (publisher: Publisher, consumers: readonly Worker[]) => {
    const confirmed = publisher.of('published').map(({ n }) => n)
    const isDone = () => {
      const seen = new Set(started(consumers))
      return confirmed.every((n) => seen.has(n))
    }
    await Promise.all(
      consumers.map((each) =>
        each.reports.until(isDone, 'all that was confirmed', 60_000).catch((error) => {
          if (!isDone()) throw error
        }),
      ),
    )
  }

  it('moves under load: nothing is lost, and nothing runs twice', async () => {
    const consumers = await workers()
    const publisher = w.publisher({ topics: [TOPIC] })
    await publisher.confirms(200)
    const slot = slotOf(TOPIC)
    const home = await w.cluster.masterOf(slot)
    const away = await w.anotherMaster(TOPIC)
    await moveSlot(w.cluster, slot, away)
    await publisher.confirms(200)
    await moveSlot(w.cluster, slot, home)
    await publisher.confirms(200)
    await publisher.stop()
    await allHandled(publisher, consumers)
    expect(publisher.of('failed')).to.deep.equal([])
    const runs = started(consumers)
    expect(runs.length, 'runs').to.equal(new Set(runs).size)
    expect(publisher.of('rolled back')).to.deep.equal([])
  })

  it('that has half moved makes its topic wait, and no other', async () => {
    const bus = w.bus()
    const received = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => received.add(body), { concurrency: 1 }).ready
    for (const n of numbers(20)) await bus.publish(TOPIC, n)
    await received.count(20)
    const slot = slotOf(TOPIC)
    const home = await w.cluster.masterOf(slot)
    let waiting: Promise<unknown> = Promise.resolve()
    let isOver = false
    await moveSlot(w.cluster, slot, await w.anotherMaster(TOPIC), async () => {
      waiting = bus.publish(TOPIC, 20).then(() => {
        isOver = true
      })
      for (const n of numbers(20)) await bus.publish('others', n)
      expect(isOver).to.equal(false)
    })
    await waiting
    expect(await received.count(21)).to.deep.equal(numbers(21))
    await moveSlot(w.cluster, slot, home)
  })

  it('has moved while nobody published: its consumers are woken where it is now', async () => {
    const consuming = w.bus()
    const received = new Received<unknown>()
    // Only wakes can be as quick: it renews every ten seconds.
    await consuming.consume(TOPIC, ({ body }) => received.add(body), { lease: '30s' }).ready
    const publishing = w.bus()
    await publishing.publish(TOPIC, 0)
    await received.count(1)
    const slot = slotOf(TOPIC)
    const home = await w.cluster.masterOf(slot)
    let published = 1
    for (const target of [await w.anotherMaster(TOPIC), home]) {
      await moveSlot(w.cluster, slot, target)
      // The first may still meet a consumer that is told that it moved; the second has its wake alone.
      for (const _ of ['first', 'second']) {
        await publishing.publish(TOPIC, published++)
        await received.count(published, 3_000)
      }
    }
  })

  it('goes to a replica when its master is told to hand over: nothing is lost, and nothing runs twice', async () => {
    const consumers = await workers()
    const publisher = w.publisher({ topics: [TOPIC] })
    await publisher.confirms(200)
    const master = await w.masterOf(TOPIC)
    const [replica] = await replicasOf(master.url)
    const connection = new Redis(`redis://${replica}`)
    await connection.cluster('FAILOVER')
    connection.disconnect()
    await w.cluster.moved(slotOf(TOPIC), master)
    await publisher.confirms(200)
    await publisher.stop()
    await allHandled(publisher, consumers)
    expect(publisher.of('failed')).to.deep.equal([])
    const runs = started(consumers)
    expect(runs.length, 'runs').to.equal(new Set(runs).size)
  })

  it('goes to a replica when its master dies: with { replicas: 1 } no confirmed publish is lost', async () => {
    const consumers = await workers()
    const publisher = w.publisher({ topics: [TOPIC, 'others', 'more', 'and.more'], durability: { replicas: 1 } })
    await publisher.confirms(200)
    const dying = await w.masterOf(TOPIC)
    await w.kill(dying)
    await w.cluster.moved(slotOf(TOPIC), dying)
    // Nobody can confirm for two until it is back, as a replica.
    await dying.restart()
    await w.cluster.settled()
    await publisher.confirms(200, 60_000)
    await publisher.stop()
    const confirmed = publisher.of('published').filter(({ topic }) => topic === TOPIC)
    expect(confirmed).to.have.length.above(20)
    const isDone = () => {
      const seen = new Set(started(consumers))
      return confirmed.every(({ n }) => seen.has(n))
    }
    await Promise.any(consumers.map((each) => each.reports.until(isDone, 'all that was confirmed', 30_000)))
  })
})

async function replicasOf(url: string): Promise<string[]> {
  const redis = new Redis(url)
  const info = await redis.info('replication')
  redis.disconnect()
  return [...info.matchAll(/^slave\d+:ip=([^,]+),port=(\d+)/gm)].map(([, host, port]) => `${host}:${port}`)
}
