import type { Bus } from '@busway/bus'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { partitionNames } from '../../packages/bus/src/partitions/names.js'
import { clusterRules, createUsers, passwordOf } from '../security/page.js'
import { clusterWorld } from '../support/cluster-world.js'
import { topicsWith } from '../support/partitioned.js'
import { Received } from '../support/received.js'

const TOPIC = 'orders.paid'
const PARTITIONS = 6
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('a topic with partitions on a cluster', function () {
  this.timeout(60_000)
  const w = clusterWorld()
  const bus = (more: object = {}): Bus =>
    w.bus({ topics: topicsWith({ partitions: PARTITIONS }, TOPIC) as never, ...more })

  it('is spread evenly over its masters', async () => {
    const masters = await Promise.all(partitionNames(TOPIC, PARTITIONS).map((name) => w.masterOf(name)))
    expect(new Set(masters)).to.have.property('size', 3)
    for (const master of masters) expect(masters.filter((other) => other === master)).to.have.length(2)
    const publisher = bus()
    await Promise.all(numbers(PARTITIONS * 128).map((n) => publisher.publish(TOPIC, n)))
    const waiting = await w.onMasters(async (redis) => {
      const metas = await redis.keys(`${w.namespace}:{orders.paid#*}:meta`)
      const counts = await Promise.all(metas.map((meta) => redis.hget(meta, 'unclaimed')))
      return counts.reduce((sum, count) => sum + Number(count), 0)
    })
    expect(waiting).to.deep.equal([256, 256, 256])
  })

  it('publishes, consumes, answers, tells and is administered over all of them', async () => {
    const consumer = bus()
    const received = new Received<string>()
    const order = new Map<string, number[]>()
    await consumer.consume(TOPIC, ({ body, key = '' }) => {
      order.set(key, [...(order.get(key) ?? []), body as number])
      received.add(`${key} ${body}`)
      return body
    }).ready
    const sent = await Promise.all(
      numbers(300).map((n) => consumer.publish(TOPIC, n, { key: `k${n % 30}`, keepResult: '1m' })),
    )
    await received.count(300)
    for (const [key, bodies] of order) expect(bodies, key).to.deep.equal([...bodies].sort((a, b) => a - b))
    expect(await consumer.request(TOPIC, 7)).to.equal(7)
    const { result } = await consumer.topic(TOPIC).settled(sent[42]?.id as string)
    expect(result).to.equal(42)
    expect((await w.bus().topic(TOPIC).stats()).groups.test).to.include({ ready: 0, inFlight: 0, consumers: 1 })
    await w.bus().topic(TOPIC).delete({ force: true })
    expect(await w.bus().topics()).to.deep.equal([])
  })

  it('needs no more of the users of docs/security.md than other topics', async () => {
    const users = ['shop-producer', 'shop-consumer']
    for (const { url } of w.cluster.nodes) {
      const redis = new Redis(url)
      await createUsers(redis, w.namespace)
      for (const user of users) await redis.call('ACL', 'SETUSER', user, ...clusterRules())
      await redis.call('ACL', 'LOG', 'RESET')
      redis.disconnect()
    }
    const [producer, consumer] = users.map((username) =>
      bus({ redis: { ...w.cluster.redis, username, password: passwordOf(username) } }),
    ) as [Bus, Bus]
    const received = new Received<unknown>()
    await consumer.consume(TOPIC, ({ body }) => received.add(body)).ready
    for (const n of numbers(12)) await producer.publish(TOPIC, n)
    await received.count(12)
    expect(await producer.topic(TOPIC).stats()).to.have.nested.property('groups.test.ready', 0)
    const denied = await w.onMasters((redis) => redis.call('ACL', 'LOG') as Promise<unknown[]>)
    expect(denied.flat()).to.deep.equal([])
  })
})
