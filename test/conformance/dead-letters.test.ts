import { expect } from 'chai'
import { readTopic } from '../lua/snapshot.js'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('dead letters', (world) => {
  /** Publishes `count` messages in batches and lets all of them die. */
  const letDie = async (count: number, deadLetters?: { keep?: number; max?: number }) => {
    const bus = world.bus()
    const died = new Received<unknown>()
    const subscription = bus.consume(
      'orders.paid',
      ({ body }) => {
        died.add(body)
        throw new Error(`no ${body}`)
      },
      { group: 'ledger', retry: false, concurrency: 1, ...(deadLetters && { deadLetters }) },
    )
    await subscription.ready
    for (let from = 0; from < count; from += 100)
      await bus.publishBatch(
        'orders.paid',
        numbers(Math.min(100, count - from), from).map((body) => ({ body })),
      )
    await died.count(count)
    await subscription.close()
    return { bus, group: bus.topic('orders.paid').group('ledger') }
  }

  it('are listed page by page, the oldest first', async () => {
    const { group } = await letDie(25)
    const bodies: unknown[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await group.deadLetters({ limit: 10, ...(cursor && { cursor }) })
      bodies.push(...page.items.map(({ body }) => body))
      cursor = page.cursor
      pages++
    } while (cursor)
    expect(bodies).to.deep.equal(numbers(25))
    expect(pages).to.be.within(3, 4)
  })

  it('run again after a redrive of all, with all attempts to come', async () => {
    const { bus, group } = await letDie(150)
    expect(await group.redrive('all')).to.equal(150)
    expect(await group.stats()).to.deep.include({ dead: 0, ready: 150 })
    const runs = new Received<{ body: unknown; attempt: number }>()
    const subscription = bus.consume('orders.paid', ({ body, attempt }) => runs.add({ body, attempt }), {
      group: 'ledger',
      concurrency: 1,
    })
    await runs.count(150)
    await subscription.close()
    expect(runs.items).to.deep.equal(numbers(150).map((body) => ({ body, attempt: 1 })))
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('run again in the order of their death, also when they are more than one script redrives', async () => {
    const { bus, group } = await letDie(1200)
    expect(await group.redrive('all')).to.equal(1200)
    const runs = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => runs.add(body), { group: 'ledger', concurrency: 1 })
    expect(await runs.count(1200)).to.deep.equal(numbers(1200))
    await subscription.close()
  })

  it('run again by id, ahead of what waits', async () => {
    const { bus, group } = await letDie(5)
    await group.pause()
    await bus.publish('orders.paid', 'later')
    const { items } = await group.deadLetters()
    expect(await group.redrive([items[1]?.id as string, items[3]?.id as string, 'nothing-here'])).to.equal(2)
    await group.resume()
    const runs = new Received<unknown>()
    const subscription = bus.consume('orders.paid', ({ body }) => runs.add(body), { group: 'ledger', concurrency: 1 })
    expect(await runs.count(3)).to.deep.equal([1, 3, 'later'])
    await subscription.close()
    expect((await group.deadLetters()).items.map(({ body }) => body)).to.deep.equal([0, 2, 4])
  })

  it('are found by the id of one that was published alone', async () => {
    const { bus, group } = await letDie(0)
    const died = new Received<string>()
    const failing = bus.consume(
      'orders.paid',
      ({ id }) => {
        died.add(id)
        throw new Error('no')
      },
      { group: 'ledger', retry: false },
    )
    const { id } = await bus.publish('orders.paid', 1)
    await died.count(1)
    await failing.close()
    expect(await group.redrive([id, id])).to.equal(1)
  })

  it('are found by an id of the publisher too', async () => {
    const { bus, group } = await letDie(0)
    const died = new Received<unknown>()
    const failing = bus.consume(
      'orders.paid',
      ({ id }) => {
        died.add(id)
        throw new Error('no')
      },
      { group: 'ledger', retry: false },
    )
    await bus.publish('orders.paid', 1, { id: 'order-7' })
    await died.count(1)
    await failing.close()
    expect(await group.redrive(['order-7'])).to.equal(1)
  })

  it('wake a waiting consumer when redriven', async () => {
    const { bus, group } = await letDie(3)
    const runs = new Received<unknown>()
    const consumer = world.bus()
    await consumer.consume('orders.paid', ({ body }) => runs.add(body), { group: 'ledger', lease: '60s' }).ready
    await group.redrive('all')
    await runs.count(3, 5000)
    await bus.close()
  })

  it('are no more than their bound, the newest kept', async () => {
    const { group } = await letDie(30, { max: 12 })
    const { items } = await group.deadLetters()
    expect(items.map(({ body }) => body)).to.deep.equal(numbers(12, 18))
    expect((await readTopic(world.redis, world.namespace, 'orders.paid')).batches.size).to.equal(12)
  })

  it('go when they are older than their bound', async () => {
    const { bus } = await letDie(10)
    const reader = bus.topic('orders.paid').group('ledger')
    const topic = await readTopic(world.redis, world.namespace, 'orders.paid')
    const key = `${world.namespace}:{orders.paid}:${[...topic.groups.keys()][0]}:dead`
    const aDayMs = 24 * 60 * 60 * 1000
    for (const { member, score } of topic.groups.values().next().value?.dead.slice(0, 4) ?? [])
      await world.redis.zadd(key, score - 15 * aDayMs, member)
    // A consumer trims what is too old when it renews.
    const renewing = world.bus()
    await renewing.consume('orders.paid', () => {}, { group: 'ledger', lease: 300 }).ready
    await eventually(world, 'four dead letters to go', async () => {
      const { dead } = await reader.stats()
      return dead === 6 ? dead : undefined
    })
    expect((await reader.deadLetters()).items.map(({ body }) => body)).to.deep.equal(numbers(6, 4))
  })

  describe('purge', () => {
    it('ends dead letters without running them', async () => {
      const { group } = await letDie(120)
      expect(await group.purge({ state: 'dead' })).to.equal(120)
      expect((await group.stats()).dead).to.equal(0)
      await namespaceIsClean(world.redis, world.namespace)
    })

    it('ends what waits, and leaves other groups theirs', async () => {
      const bus = world.bus()
      const seen = new Received<unknown>()
      for (const group of ['ledger', 'audit']) {
        const subscription = bus.consume('orders.paid', () => {}, { group })
        await subscription.ready
        await subscription.close()
      }
      await bus.publishBatch(
        'orders.paid',
        numbers(200).map((body) => ({ body })),
      )
      expect(await bus.topic('orders.paid').group('ledger').purge()).to.equal(200)
      const { groups } = await bus.topic('orders.paid').stats()
      expect([groups.ledger?.ready, groups.audit?.ready]).to.deep.equal([0, 200])
      const subscription = bus.consume('orders.paid', ({ body }) => seen.add(body), { group: 'audit' })
      await seen.count(200)
      await subscription.close()
      await namespaceIsClean(world.redis, world.namespace)
    })
  })
})
