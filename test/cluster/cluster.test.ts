import { type Bus, createBus } from '@busway/bus'
import { startRedis } from '@busway/testing'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { clusterRules, createUsers, passwordOf } from '../security/page.js'
import { clusterWorld } from '../support/cluster-world.js'
import { Received } from '../support/received.js'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const topics = numbers(12).map((n) => `orders.${n}`)

describe('a bus on a cluster', function () {
  this.timeout(60_000)
  const w = clusterWorld()
  const failureOf = async (bus: Bus) => {
    const error = await bus.ready().then(
      () => expect.fail('it is ready'),
      (reason) => reason,
    )
    await bus.close()
    return error
  }

  it('spreads topics over the masters, each in the order of its publishes', async () => {
    const bus = w.bus()
    const received = new Map(topics.map((topic) => [topic, new Received<unknown>()]))
    const subscriptions = topics.map((topic) =>
      bus.consume(topic, ({ body }) => received.get(topic)?.add(body), { concurrency: 1 }),
    )
    await Promise.all(subscriptions.map(({ ready }) => ready))
    await Promise.all(topics.flatMap((topic) => numbers(50).map((n) => bus.publish(topic, n))))
    for (const each of received.values()) expect(await each.count(50)).to.deep.equal(numbers(50))
    const kept = await w.onMasters((redis) => redis.keys(`${w.namespace}:{orders.*}:meta`))
    expect(kept.map(({ length }) => length > 0)).to.deep.equal([true, true, true])
    expect(kept.flat()).to.have.length(topics.length)
    expect(await bus.topics()).to.deep.equal([...topics].sort())
  })

  it('has two connections to each master, and wakes by channels of the slot', async () => {
    const bus = w.bus({ service: 'counted' })
    const received = new Received<unknown>()
    await Promise.all(topics.map((topic) => bus.consume(topic, ({ body }) => received.add(body)).ready))
    for (const topic of topics) await bus.publish(topic, topic)
    await received.count(topics.length)
    const lists = await w.onMasters(async (redis) => String(await redis.client('LIST')))
    for (const list of lists) expect(list.match(/ name=busway:counted\S*/g)).to.have.length(2)
    const channels = await w.onMasters((redis) => redis.call('PUBSUB', 'SHARDCHANNELS') as Promise<string[]>)
    expect(channels.flat().filter((name) => name.includes(':wake:'))).to.have.length(topics.length)
    const plain = await w.onMasters((redis) => redis.pubsub('CHANNELS', `${w.namespace}:*`))
    expect(plain.flat()).to.deep.equal([])
  })

  it('answers requests, tells events, and consumes patterns over all slots', async () => {
    const bus = w.bus()
    const received = new Received<string>()
    await bus.consume('orders.>', ({ topic }) => void received.add(topic), { group: 'audit' }).ready
    bus.consume('fares', ({ body }) => ({ price: body }))
    expect(await bus.request('fares', 7)).to.deep.equal({ price: 7 })
    const events = bus.events('orders.3')
    await events.ready
    for (const topic of topics) await bus.publish(topic, topic)
    expect(new Set(await received.count(topics.length))).to.deep.equal(new Set(topics))
    expect((await events.next()).value).to.include({ type: 'settled', topic: 'orders.3', outcome: 'done' })
    await events.close()
  })

  it('carries what handlers publish to topics of other slots once, though consumers die on the way', async () => {
    const setup = { topic: 'orders.0', behaviour: 'stage', outputTopic: 'invoices' } as const
    const options = { group: 'billing', concurrency: 5, lease: 1_500 }
    const bus = w.bus()
    const out = new Received<number>()
    await bus.consume('invoices', ({ body }) => out.add((body as { n: number }).n)).ready
    const dying = await w.worker({ ...setup, consume: options })
    const publishing = Promise.all(numbers(300).map((n) => bus.publish('orders.0', { n, hold: false })))
    await dying.until('settled', 20)
    await dying.kill()
    await publishing
    await w.worker({ ...setup, consume: options })
    await out.until((items) => new Set(items).size === 300, 'an invoice of each order')
    await bus.close()
    expect(out.items).to.have.length(300)
  })

  it('runs under the users of docs/security.md, with what that page adds on a cluster', async () => {
    const users = ['shop-producer', 'shop-consumer']
    for (const { url } of w.cluster.nodes) {
      const redis = new Redis(url)
      await createUsers(redis, w.namespace)
      for (const user of users) await redis.call('ACL', 'SETUSER', user, ...clusterRules())
      await redis.call('ACL', 'LOG', 'RESET')
      redis.disconnect()
    }
    const [producer, consumer] = users.map((username) =>
      w.bus({ redis: { ...w.cluster.redis, username, password: passwordOf(username) } }),
    ) as [Bus, Bus]
    const received = new Received<unknown>()
    const consume = (topic: string) =>
      consumer.consume(topic, async ({ body }, ctx) => {
        if (topic === 'orders.0') await ctx.publish('orders.1', body)
        else received.add(body)
      })
    await Promise.all(topics.map((topic) => consume(topic).ready))
    for (const topic of topics) await producer.publish(topic, topic)
    await received.count(topics.length)
    const denied = await w.onMasters((redis) => redis.call('ACL', 'LOG') as Promise<unknown[]>)
    expect(denied.flat()).to.deep.equal([])
  })

  it('is CONFIG_INVALID where there is none, and as a single Redis', async () => {
    await using single = await startRedis()
    const cluster = [{ host: '127.0.0.1', port: single.port }]
    const noCluster = await failureOf(createBus({ service: 'test', redis: { cluster }, logger: false }))
    expect(noCluster).to.have.property('code', 'CONFIG_INVALID')
    expect(noCluster.message).to.contain('no node of a cluster')
    const node = w.cluster.nodes[0]?.url as string
    const noSingle = await failureOf(createBus({ service: 'test', redis: node, logger: false }))
    expect(noSingle).to.have.property('code', 'CONFIG_INVALID')
    expect(noSingle.message).to.contain('redis+cluster://')
  })
})
