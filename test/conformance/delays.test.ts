import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, type World } from '../support/world.js'
import { conformance } from './suite.js'

const TOPIC = 'reminders'
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('delays', (world: World) => {
  /** Redis' clock, in milliseconds with fractions. */
  const redisMs = async () => {
    const [seconds, micros] = await world.redis.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  const calls = async (command: string) => {
    const stats = await world.redis.info('commandstats')
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }

  it('are never cut short, with several consumers that all look for what is due', async () => {
    const consumers = numbers(4).map(() => world.bus())
    const runs = new Received<{ dueMs: number; earlyMs: number }>()
    for (const bus of consumers) {
      await bus.consume(
        TOPIC,
        async ({ body }) => {
          const { dueMs } = body as { dueMs: number }
          runs.add({ dueMs, earlyMs: dueMs - (await redisMs()) })
        },
        { concurrency: 3 },
      ).ready
    }
    const bus = world.bus()
    const startMs = Math.ceil(await redisMs())
    for (const n of numbers(200)) {
      const dueMs = startMs + 20 + ((n * 37) % 400)
      await bus.publish(TOPIC, { dueMs }, { deliverAt: new Date(dueMs) })
    }
    const all = await runs.count(200)
    expect(all.filter(({ earlyMs }) => earlyMs > 0)).to.deep.equal([])
    await Promise.all([...consumers, bus].map((each) => each.close()))
    expect(runs.items).to.have.length(200)
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('that end at the same time keep the order of their publishes', async () => {
    const bus = world.bus()
    const received = new Received<number>()
    await bus.consume(TOPIC, ({ body }) => received.add(body as number), { concurrency: 1 }).ready
    const deliverAt = new Date(Math.ceil(await redisMs()) + 150)
    for (const n of numbers(30)) await bus.publish(TOPIC, n, { deliverAt })
    const rest = numbers(970, 30).map((body) => ({ body, deliverAt }))
    await bus.publishBatch(TOPIC, rest)
    expect(await received.count(1000)).to.deep.equal(numbers(1000))
  })

  it('that end within one millisecond by thousands are taken in many short steps, and hold up nobody else', async () => {
    const bus = world.bus()
    const due = new Received<number>()
    const others = new Received<number>()
    await bus.consume('others', ({ body }) => others.add(body as number)).ready
    const deliverAt = new Date(Math.ceil(await redisMs()) + 3_600_000)
    for (const part of numbers(6)) {
      await bus.publishBatch(
        TOPIC,
        numbers(1000, part * 1000).map((body) => ({ body, deliverAt })),
      )
    }
    // Their time comes at once, for all of them.
    const key = `${world.namespace}:{${TOPIC}}:scheduled`
    await world.redis.eval(
      "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, m) end",
      1,
      key,
    )
    const before = await calls('evalsha')
    await bus.consume(TOPIC, ({ body }) => due.add(body as number), { concurrency: 1 }).ready
    for (const n of numbers(50)) await bus.publish('others', n)
    await others.count(50)
    expect(await due.count(6000)).to.deep.equal(numbers(6000))
    expect((await calls('evalsha')) - before, 'scripts that took a part each').to.be.at.least(60)
  })

  it('wake a consumer that is idle by its timer, and nobody asks before', async () => {
    const bus = world.bus()
    const received = new Received<number>()
    await bus.consume(TOPIC, ({ body }) => received.add(body as number)).ready
    await bus.publish(TOPIC, 0)
    await received.count(1)
    await eventually(world, 'it to wait', async () => {
      const waiting = await world.redis.zcard(`${world.namespace}:{${TOPIC}}:test@1:waiting`)
      return waiting === 1 ? true : undefined
    })
    const before = await calls('evalsha')
    await bus.publish(TOPIC, 1, { delay: 400 })
    await received.count(2)
    expect((await calls('evalsha')) - before).to.be.at.most(8)
  })

  it('begin anew for a message that is tried again: it is not taken for due', async () => {
    const bus = world.bus()
    const attempts = new Received<{ attempt: number; atMs: number }>()
    await bus.consume(
      TOPIC,
      async ({ attempt }) => {
        attempts.add({ attempt, atMs: await redisMs() })
        if (attempt < 3) throw new Error('not yet')
      },
      { retry: { attempts: 3, backoff: 'fixed', delay: 60, jitter: 0 } },
    ).ready
    await bus.publish(TOPIC, 1, { delay: 30 })
    const seen = await attempts.count(3)
    for (const [i, { atMs }] of seen.entries()) if (i > 0) expect(atMs - (seen[i - 1]?.atMs ?? 0)).to.be.at.least(58)
  })

  it('of any length, with failures, priorities and keys between them, drain without getting stuck', async () => {
    const message = fc.record({
      delay: fc.constantFrom(undefined, undefined, 0, 1, 5, 20, 60),
      priority: fc.constantFrom(0, 0, 3, -2),
      key: fc.constantFrom(undefined, undefined, 'a', 'b'),
      fails: fc.constantFrom(0, 0, 0, 1, 2, 9),
    })
    let runs = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 5, maxLength: 80 }),
        fc.integer({ min: 1, max: 4 }),
        async (messages, concurrency) => {
          const topic = `${TOPIC}.run${++runs}`
          const consumers = [world.bus(), world.bus()]
          const ended = new Received<string>()
          const attempts = new Map<string, number>()
          const handler = async ({ id, attempt, body }: { id: string; attempt: number; body: unknown }) => {
            attempts.set(id, (attempts.get(id) ?? 0) + 1)
            const { fails } = body as { fails: number }
            if (attempt <= fails) {
              if (attempt === 3) ended.add(id)
              throw new Error(`attempt ${attempt}`)
            }
            ended.add(id)
          }
          const options = { concurrency, retry: { attempts: 3, backoff: 'fixed', delay: 4 } as const }
          for (const bus of consumers) await bus.consume(topic, handler, options).ready
          const [bus] = consumers as [(typeof consumers)[0]]
          const ids = []
          for (const { delay, priority, key, fails } of messages) {
            const receipt = await bus.publish(
              topic,
              { fails },
              { priority, ...(key === undefined ? {} : { key }), ...(delay === undefined ? {} : { delay }) },
            )
            ids.push(receipt.id)
          }
          await ended.count(messages.length)
          await Promise.all(consumers.map((each) => each.close()))
          expect([...ended.items].sort()).to.deep.equal([...ids].sort())
          for (const [i, id] of ids.entries())
            expect(attempts.get(id), `attempts of ${id}`).to.equal(Math.min(3, (messages[i]?.fails ?? 0) + 1))
        },
      ),
      { numRuns: 8 },
    )
  })
})
