import { expect } from 'chai'
import { connectionsOf } from '../support/connections.js'
import { Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('connections', (world) => {
  it('are two per bus, whatever the number of topics', async () => {
    const bus = world.bus({ service: 'counted' })
    const received = new Received<string>()
    const topics = numbers(100).map((n) => `topic.${n}`)
    await Promise.all(topics.map((topic) => bus.consume(topic, ({ topic }) => received.add(topic)).ready))
    await Promise.all(topics.map((topic) => bus.publish(topic, 1)))
    await received.count(100)
    await bus.topic('topic.1').stats()
    const each = await connectionsOf(world, 'counted')
    expect(each).to.have.length((await world.masters()).length)
    expect(new Set(each)).to.deep.equal(new Set([2]))
    await bus.close()
  })

  it('are gone after close', async () => {
    const bus = world.bus({ service: 'counted' })
    await bus.consume('orders.paid', () => {}).ready
    expect(await connectionsOf(world, 'counted')).to.include(2)
    await bus.close()
    // The server may hear of it a moment later; if it never does, the test's time is up.
    while ((await connectionsOf(world, 'counted')).length > 0);
  })

  it('carry nothing but renewals while nothing happens', async () => {
    const bus = world.bus()
    const lease = 900
    await bus.consume('orders.paid', () => {}, { lease }).ready
    await bus.publish('orders.paid', 1)
    const commands = new Received<{ name: string; atMs: number }>()
    const monitor = await world.redis.monitor()
    world.atEnd(() => monitor.disconnect())
    monitor.on('monitor', (_time: string, [name]: string[], source: string) => {
      if (source !== 'lua') commands.add({ name: String(name).toLowerCase(), atMs: performance.now() })
    })
    // The first may be the end of what happened before.
    const seen = (await commands.count(5)).slice(1)
    expect(new Set(seen.map(({ name }) => name))).to.deep.equal(new Set(['evalsha']))
    const apart = (seen.at(-1)?.atMs as number) - (seen[0]?.atMs as number)
    expect(apart).to.be.at.least(3 * (lease / 3) * 0.8)
  })

  it('that break while publishing lose nothing and repeat nothing', async () => {
    const proxy = await world.proxy()
    const publisher = world.bus({ redis: proxy.redis })
    const consumer = world.bus()
    const received = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
    const receipts: Promise<unknown>[] = []
    let cuts = 0
    for (const n of numbers(2000)) {
      receipts.push(publisher.publish('orders.paid', n))
      if (n % 400 === 200) {
        const reached = proxy.cutAtReply()
        await reached
        cuts++
      } else if (n % 50 === 0) await receipts.at(-1)
    }
    await Promise.all(receipts)
    expect(cuts).to.equal(5)
    expect(await received.count(2000)).to.deep.equal(numbers(2000))
    await Promise.all([publisher.close(), consumer.close()])
    expect(received.items).to.have.length(2000)
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('that break while consuming lose nothing and run nothing twice that was settled', async () => {
    const proxy = await world.proxy()
    const publisher = world.bus()
    const consumer = world.bus({ redis: proxy.redis })
    const received = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 20 }).ready
    for (const round of numbers(6)) {
      await Promise.all(numbers(200, round * 200).map((n) => publisher.publish('orders.paid', n)))
      await received.until((items) => items.length >= round * 200 + 50, 'some to arrive')
      proxy.cut()
    }
    await received.until((items) => new Set(items).size === 1200, 'all to arrive')
    await consumer.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('of two buses in one process do not mix', async () => {
    const one = world.bus({ service: 'one' })
    const two = world.bus({ service: 'two' })
    const seen = { one: new Received<unknown>(), two: new Received<unknown>() }
    await one.consume('orders.paid', ({ body }) => seen.one.add(body)).ready
    await two.consume('orders.paid', ({ body }) => seen.two.add(body)).ready
    await one.publish('orders.paid', 1)
    await seen.one.count(1)
    await seen.two.count(1)
    await one.close()
    await two.publish('orders.paid', 2)
    await seen.two.count(2)
  })

  it('of two namespaces in one Redis do not mix', async () => {
    const here = world.bus()
    const there = world.bus({ namespace: `${world.namespace}other` })
    const seen = new Received<unknown>()
    await here.consume('orders.paid', ({ body }) => seen.add(body)).ready
    await there.publish('orders.paid', 'there')
    await here.publish('orders.paid', 'here')
    expect(await seen.count(1)).to.deep.equal(['here'])
    await here.close()
    expect(seen.items).to.deep.equal(['here'])
  })
})
