import { addPattern, REGISTRY, registerTopic, unregisterTopic } from '@busway/lua'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { privateRedis } from '../support/private-redis.js'
import { Received } from '../support/received.js'
import { failingAtCall, INJECTED } from './faulty.js'
import { ScriptDriver } from './script-driver.js'
import { readRaw } from './snapshot.js'

describe('the registry of a namespace', () => {
  const w = privateRedis()
  let scripts: ScriptDriver
  const register = (topic: string, partitions = 1) => scripts.run(registerTopic, REGISTRY, { topic, partitions })
  const add = (group: string, pattern: string) => scripts.run(addPattern, REGISTRY, { group, pattern })
  const topics = async () => (await w.redis.smembers(scripts.key(REGISTRY, 'topics'))).sort()

  beforeEach(() => {
    scripts = new ScriptDriver(w.redis, w.namespace, { redisVersion: w.server.version })
  })

  it('keeps each topic once, and tells of those that are new', async () => {
    const news = new Received<string>()
    const subscriber = new Redis(w.server.url)
    try {
      await subscriber.subscribe(scripts.key(REGISTRY, 'topics'))
      subscriber.on('message', (_channel, topic) => news.add(topic))
      for (const topic of ['a', 'b', 'a', 'c']) await register(topic)
      expect(await news.count(3)).to.deep.equal(['a', 'b', 'c'])
      expect(await topics()).to.deep.equal(['a', 'b', 'c'])
    } finally {
      subscriber.disconnect()
    }
  })

  it('answers who registers a topic with all patterns, also when it is repeated', async () => {
    await add('a', 'orders.*')
    await add('b', '>')
    for (const _ of [1, 2]) {
      const { patterns, nowMs } = await register('orders.paid')
      expect(patterns).to.have.deep.members([
        { group: 'a', pattern: 'orders.*' },
        { group: 'b', pattern: '>' },
      ])
      expect(nowMs).to.be.above(0)
    }
  })

  it('keeps topics of plugins, tells nobody of them, and gives no pattern for one', async () => {
    await add('a', '>')
    const news = new Received<string>()
    const subscriber = new Redis(w.server.url)
    try {
      await subscriber.subscribe(scripts.key(REGISTRY, 'topics'))
      subscriber.on('message', (_channel, topic) => news.add(topic))
      expect((await register('$plugin')).patterns).to.deep.equal([])
      await register('last')
      expect(await news.count(1)).to.deep.equal(['last'])
      expect(await topics()).to.deep.equal(['$plugin', 'last'])
    } finally {
      subscriber.disconnect()
    }
  })

  it('keeps how many partitions a topic was made with, until it is deleted', async () => {
    await add('a', '>')
    expect(await register('orders', 12)).to.deep.include({ partitions: 12, patterns: [{ group: 'a', pattern: '>' }] })
    expect(await register('plain')).to.include({ partitions: 1 })
    const before = await readRaw(w.redis, `${w.namespace}:*`)
    expect(await register('orders', 12)).to.include({ partitions: 12 })
    for (const [topic, wrong, right] of [
      ['orders', 1, 12],
      ['orders', 11, 12],
      ['plain', 2, 1],
    ] as const)
      expect(await register(topic, wrong)).to.deep.include({ partitions: right, patterns: [] })
    expect([...(await readRaw(w.redis, `${w.namespace}:*`))]).to.deep.equal([...before])
    for (const topic of ['orders', 'plain']) await scripts.run(unregisterTopic, REGISTRY, { topic })
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([scripts.key(REGISTRY, 'patterns')])
    expect(await register('orders', 3)).to.include({ partitions: 3 })
  })

  it('keeps since when a group takes part, however often it is said', async () => {
    const key = scripts.key(REGISTRY, 'patterns')
    expect(await add('a', 'orders.*')).to.include({ kept: true, count: 1 })
    const since = await w.redis.hget(key, 'a orders.*')
    await w.redis.hset(key, 'a orders.*', 1)
    expect(await add('a', 'orders.*')).to.include({ kept: true, count: 1 })
    expect(await w.redis.hgetall(key)).to.deep.equal({ 'a orders.*': '1' })
    expect(Number(since)).to.be.above(1_600_000_000_000)
  })

  it('keeps a thousand patterns, and those that are there when it is full', async () => {
    const key = scripts.key(REGISTRY, 'patterns')
    await w.redis.hset(key, ...Array.from({ length: 999 }, (_, n) => [`g${n} *`, 1]).flat())
    expect(await add('last', '*')).to.include({ kept: true, count: 1000 })
    expect(await add('more', '*')).to.include({ kept: false, count: 1000 })
    expect(await add('g7', '*')).to.include({ kept: true, count: 1000 })
    expect(await w.redis.hlen(key)).to.equal(1000)
  })

  it('lets a group take part though memory is full, and refuses a new topic whole', async () => {
    await register('a')
    await w.redis.config('SET', 'maxmemory', '1')
    try {
      expect(await add('a', '*')).to.include({ kept: true })
      expect(String(await register('b').catch((error: unknown) => error))).to.contain('OOM')
      expect(await topics()).to.deep.equal(['a'])
    } finally {
      await w.redis.config('SET', 'maxmemory', '0')
    }
  })

  it('is as it was after an error at any call up to the first write', async () => {
    await add('a', '*')
    const runs = [
      (edit: (text: string) => string) => scripts.run(registerTopic, REGISTRY, { topic: 'b', partitions: 1 }, edit),
      (edit: (text: string) => string) => scripts.run(registerTopic, REGISTRY, { topic: 'b', partitions: 3 }, edit),
      (edit: (text: string) => string) => scripts.run(addPattern, REGISTRY, { group: 'b', pattern: '*' }, edit),
    ]
    for (const run of runs) {
      const before = await readRaw(w.redis, `${w.namespace}:*`)
      let stopped = 0
      for (let k = 1; ; k++) {
        const outcome = await run(failingAtCall(k)).then(
          () => 'got through',
          (error: unknown) => String(error),
        )
        if (outcome === 'got through') break
        expect(outcome).to.contain(INJECTED)
        expect([...(await readRaw(w.redis, `${w.namespace}:*`))]).to.deep.equal([...before])
        stopped++
      }
      expect(stopped).to.be.at.least(2)
    }
  })
})
