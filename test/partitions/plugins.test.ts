import { type Bus, type BuswayError, createBus, type Plugin, type TopicOptions } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { type FlowNode, flow } from '@busway/plugin-flow'
import { ratelimit } from '@busway/plugin-ratelimit'
import { schedule } from '@busway/plugin-schedule'
import { expect } from 'chai'
import { topicsWith } from '../support/partitioned.js'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const TOPIC = 'orders.paid'
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('plugins on a topic with partitions', () => {
  const w = world()
  const bus = (plugins: readonly unknown[], options: TopicOptions = {}): Bus => {
    const made = createBus({
      ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: w.log.logger },
      topics: topicsWith({ partitions: 3, ...options }, TOPIC),
      plugins: plugins as Plugin[],
    }) as Bus
    made.on('error', () => {})
    w.atEnd(() => made.close({ timeout: 2_000 }))
    return made
  }
  const publish = (on: Bus, body: unknown, options: object) => on.publish(TOPIC, body, options)
  const refusalOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'none',
      ({ code, message }: BuswayError) => `${code}: ${message}`,
    )

  it('dedupe by a key or an id, which choose the partition', async () => {
    const publisher = bus([dedupe()])
    for (const n of numbers(12)) {
      for (const status of ['accepted', 'duplicate']) {
        expect(await publish(publisher, n, { dedupe: { key: `d${n}` } })).to.include({ status })
        expect(await publish(publisher, 100 + n, { dedupe: true })).to.include({ status })
        expect(await publish(publisher, n, { key: `k${n}`, dedupe: { key: `k${n}` } })).to.include({ status })
      }
    }
    expect(await publisher.topic(TOPIC).stats()).to.include({ unclaimed: 36 })
  })

  it('dedupe refuses what would be exact in one partition alone', async () => {
    const publisher = bus([dedupe()])
    for (const options of [
      { key: 'a', dedupe: { key: 'b' } },
      { id: 'a', dedupe: { key: 'b' } },
      { key: 'a', dedupe: true },
    ])
      expect(await refusalOf(publish(publisher, 1, options))).to.match(
        /^CONFIG_INVALID: .*over the partitions of orders\.paid/,
      )
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
  })

  it('rate limits each ordering key, but not the topic', async () => {
    const consumer = bus([ratelimit()])
    const whole = () => consumer.consume(TOPIC, () => {}, { rate: { limit: 1, per: '1h' } } as object)
    expect(whole).to.throw('cannot be kept over the partitions')
    const received = new Received<unknown>()
    const rate = { limit: 1, per: '1h', burst: 1, by: 'key' }
    await consumer.consume(TOPIC, ({ body }) => received.add(body), { rate } as object).ready
    for (const n of numbers(6)) for (const turn of [0, 1]) await publish(consumer, `${n} ${turn}`, { key: `k${n}` })
    expect(new Set(await received.count(6))).to.deep.equal(new Set(numbers(6).map((n) => `${n} 0`)))
  })

  it('rate limits publishers by a key, or lets them wait', async () => {
    const publisher = bus([ratelimit()])
    const rate = { limit: 1, per: '1h', burst: 1 }
    expect(await refusalOf(publish(publisher, 1, { rate }))).to.contain('CONFIG_INVALID')
    for (const n of numbers(6)) {
      await publish(publisher, n, { rate: { ...rate, key: `k${n}` } })
      expect(await refusalOf(publish(publisher, n, { rate: { ...rate, key: `k${n}` } }))).to.contain('PUBLISH_REJECTED')
    }
    const waiting = { ...rate, mode: 'wait', maxWait: '1s' }
    await publish(publisher, 1, { rate: waiting })
    expect(await refusalOf(publish(publisher, 1, { rate: waiting }))).to.contain('PUBLISH_REJECTED')
  })

  it('schedules and flows publish to it', async () => {
    const plugins = [schedule(), flow()] as const
    const consumer = bus(plugins) as unknown as Bus<Record<string, unknown>, 'schedule' | 'flow'>
    const received = new Received<unknown>()
    consumer.consume(TOPIC, ({ body }) => {
      received.add(body)
      return body
    })
    await consumer.schedules.upsert('tick', { every: '1s', topic: TOPIC, body: 'tick' })
    await received.first((body) => body === 'tick')
    await consumer.schedules.remove('tick')
    const node = (body: string, ...children: FlowNode[]): FlowNode => ({ topic: TOPIC, body, children })
    await consumer.flows.publish(node('root', node('a'), node('b', node('c'))))
    await received.first((body) => body === 'root')
    const order = received.items.filter((body) => body !== 'tick')
    expect(order.at(-1)).to.equal('root')
    expect(order).to.have.members(['a', 'b', 'c', 'root'])
    expect(order.indexOf('c')).to.be.below(order.indexOf('b'))
  })

  it('have reports sent to it, in the order of their key', async () => {
    const reporter: Plugin = {
      ...{ name: 'reporter', api: 1 },
      setup: (scope) =>
        scope.publish('enrich', (batch, next) => {
          for (const message of batch.messages)
            if (batch.topic === 'parts') message.reportTo = { topic: TOPIC, key: String(message.body) }
          return next()
        }),
    }
    const topics = topicsWith({ partitions: 3 }, TOPIC)
    const consumer = createBus({
      ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: w.log.logger },
      topics: { definitions: { ...topics.definitions, parts: {} } } as typeof topics,
      plugins: [reporter],
    }) as unknown as Bus
    w.atEnd(() => consumer.close({ timeout: 2_000 }))
    const received = new Received<object>()
    await consumer.consume(TOPIC, ({ key, body }) =>
      received.add({ key, outcome: (body as { outcome: string }).outcome }),
    ).ready
    await consumer.consume('parts', () => {}).ready
    for (const n of numbers(6)) await consumer.publish('parts', n)
    await received.count(6)
    expect(received.items).to.have.deep.members(numbers(6).map((n) => ({ key: String(n), outcome: 'done' })))
  })

  it('are told of the topic, never of a partition, and read its numbers whole', async () => {
    const topics = new Set<string>()
    let stats: unknown
    const watcher: Plugin = {
      ...{ name: 'watcher', api: 1 },
      setup(scope) {
        scope.publish('enrich', (batch, next) => {
          topics.add(batch.topic)
          return next()
        })
        scope.observe('published', ({ topic }) => topics.add(topic))
        scope.observe('fetched', ({ topic }) => topics.add(topic))
        scope.observe('settled', ({ delivery }) => topics.add(delivery.message.topic))
        scope.context('count', () => async () => {
          stats = await scope.stats([TOPIC, 'none'])
        })
      },
    }
    const consumer = bus([watcher])
    const received = new Received<unknown>()
    await publish(consumer, 0, {})
    await publish(consumer, 1, { delay: '1h' })
    consumer.consume(TOPIC, async ({ body }, ctx) => {
      await (ctx as unknown as { count(): Promise<void> }).count()
      received.add(body)
    })
    await received.count(1)
    expect([...topics]).to.deep.equal([TOPIC])
    expect(stats).to.have.all.keys(TOPIC, 'none')
    expect(stats).to.have.property(TOPIC).that.deep.includes({ scheduled: 1 })
  })
})
