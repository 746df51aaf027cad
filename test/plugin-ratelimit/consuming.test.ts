import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type ConsumeOptions, createBus } from '@busway/bus'
import { type ConsumeRate, ratelimit } from '@busway/plugin-ratelimit'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { world } from '../support/world.js'
import { expectWithin, recorder, takenAt, takenOfKeys } from './taken.js'

const TOPIC = 'mails.wanted'
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const entries = (count: number) => numbers(count).map((body) => ({ body }))

describe('a group with a rate', function () {
  this.timeout(30_000)
  const w = world()
  const limiting = () => {
    const { server, namespace, log } = w
    const plugins = [ratelimit(), recorder()] as const
    const bus = createBus({ service: 'limited', redis: server.url, namespace, logger: log.logger, plugins })
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  const redisMs = async () => {
    const [seconds, micros] = await w.redis.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  const process_ = async (rate: ConsumeRate): Promise<ChildProcess> => {
    const env = { ...process.env, REDIS: w.server.url, NAMESPACE: w.namespace, TOPIC, RATE: JSON.stringify(rate) }
    const child = fork(new URL('./program.ts', import.meta.url), { env, execArgv: ['--import', 'tsx'] })
    w.atEnd(() => child.kill('SIGKILL'))
    await once(child, 'message')
    return child
  }
  const allTaken = (count: number) =>
    eventually(
      w,
      `${count} to be taken`,
      async () => ((await takenAt(w.redis, w.namespace, TOPIC)).length >= count ? true : undefined),
      25_000,
    )

  for (const [processes, limit, count] of [
    [1, 200, 300],
    [2, 100, 150],
    [8, 50, 90],
  ] as const) {
    it(`is handed no more than it allows in any time, in ${processes} ${processes === 1 ? 'process' : 'processes'}, and all in the end`, async () => {
      const rate = { limit, per: '1s', burst: 10 } as const
      const publisher = w.bus()
      await Promise.all(numbers(processes).map(() => process_(rate)))
      await publisher.publishBatch(TOPIC, entries(count))
      await allTaken(count)
      const times = await takenAt(w.redis, w.namespace, TOPIC)
      expectWithin(times, limit, 1000, 10)
    })
  }

  it('is handed its burst at once after a quiet time, then one after the other', async () => {
    const bus = limiting()
    const received = new Received<number>()
    await bus.consume(TOPIC, async () => received.add(await redisMs()), { rate: { limit: 20, per: '1s', burst: 4 } })
      .ready
    await bus.publishBatch(TOPIC, entries(8))
    await received.count(8)
    const times = await takenAt(w.redis, w.namespace, TOPIC)
    expectWithin(times, 20, 1000, 4)
    expect(times.filter((atMs) => atMs === times[0]).length).to.be.at.least(3)
    expect((times[7] as number) - (times[0] as number)).to.be.at.least(199)
  })

  it('takes nothing that it may not run: what waits is there for whoever looks', async () => {
    const bus = limiting()
    const received = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => received.add(body), { rate: { limit: 2, per: '1h', burst: 2 } }).ready
    await bus.publishBatch(TOPIC, entries(10))
    await received.count(2)
    await eventually(w, 'both to be settled', async () => {
      const { ready, inFlight } = await bus.topic(TOPIC).group('limited').stats()
      return ready === 8 && inFlight === 0 ? true : undefined
    })
  })

  it('is not held up by a handler that hangs, nor by a process that is killed', async () => {
    const bus = limiting()
    const gate = new Gate()
    const received = new Received<unknown>()
    const handler = ({ body }: { body: unknown }) => (body === 0 ? gate.opened : received.add(body))
    await bus.consume(TOPIC, handler, { rate: { limit: 100, per: '1s', burst: 2 }, concurrency: 2 }).ready
    await bus.publishBatch(TOPIC, entries(20))
    await received.count(19)
    gate.open()
    await bus.close()
    await w.redis.del(`${w.namespace}:{${TOPIC}}:x:recorder:taken`)
    const victim = await process_({ limit: 100, per: '1s', burst: 2 })
    await w.bus().publishBatch(TOPIC, entries(200))
    await allTaken(20)
    victim.kill('SIGKILL')
    await process_({ limit: 100, per: '1s', burst: 2 })
    await allTaken(200)
    expectWithin(await takenAt(w.redis, w.namespace, TOPIC), 100, 1000, 2)
  })

  it('leaves other groups of the topic alone', async () => {
    const bus = limiting()
    const [limited, free] = [new Received<unknown>(), new Received<unknown>()]
    await bus.consume(TOPIC, ({ body }) => limited.add(body), { rate: { limit: 1, per: '1h', burst: 1 } }).ready
    await bus.consume(TOPIC, ({ body }) => free.add(body), { group: 'free' }).ready
    await bus.publishBatch(TOPIC, entries(50))
    await free.count(50)
    await limited.count(1)
    expect(limited.items).to.have.length(1)
  })

  it('of each ordering key holds up that key alone, and keeps its order', async () => {
    const bus = limiting()
    const received = new Received<{ key: string | undefined; body: unknown }>()
    const handler: Parameters<typeof bus.consume>[1] = ({ key, body }) => received.add({ key, body })
    const options: ConsumeOptions<Record<string, unknown>, 'ratelimit'> = {
      rate: { limit: 20, per: '1s', burst: 1, by: 'key' },
      retry: { attempts: 1 },
    }
    await bus.consume(TOPIC, handler, options).ready
    const keys = ['a', 'b', 'c']
    await bus.publishBatch(
      TOPIC,
      keys.flatMap((key) => numbers(5).map((body) => ({ body, key }))),
    )
    await bus.publishBatch(TOPIC, entries(20))
    const all = await received.count(35)
    const times = await takenOfKeys(w.redis, w.namespace, TOPIC)
    expect([...times.keys()].sort()).to.deep.equal(keys)
    for (const key of keys) {
      const ofKey = all.filter((each) => each.key === key)
      expect(ofKey.map(({ body }) => body)).to.deep.equal(numbers(5))
      expect(times.get(key)).to.have.length(5)
      expectWithin(times.get(key) as number[], 20, 1000, 1)
    }
    // The others are done long before the last of a key, which has to wait for 200 ms.
    expect(all.slice(-3).every(({ key }) => key !== undefined)).to.equal(true)
  })

  it('pauses in all processes when a handler says that another wants it, and no attempt counts', async () => {
    const buses = [limiting(), limiting()]
    const received = new Received<{ attempt: number; body: unknown; atMs: number }>()
    let refused = false
    for (const bus of buses) {
      await bus.consume(
        TOPIC,
        async ({ attempt, body }, context) => {
          received.add({ attempt, body, atMs: await redisMs() })
          if (body === 3 && !refused) {
            refused = true
            context.rateLimit(600)
          }
        },
        { rate: { limit: 100, per: '1s', burst: 1 }, concurrency: 1, retry: { attempts: 1 } },
      ).ready
    }
    await buses[0]?.publishBatch(TOPIC, entries(12))
    const runs = await received.count(13)
    const at = runs.findIndex(({ body }) => body === 3)
    const before = runs[at] as (typeof runs)[0]
    // What was handed over together with it may still run.
    const next = runs.slice(at + 1).filter(({ atMs }) => atMs > before.atMs + 100)[0]
    expect((next?.atMs ?? 0) - before.atMs).to.be.at.least(590)
    expect(runs.filter(({ body }) => body === 3).map(({ attempt }) => attempt)).to.deep.equal([1, 1])
  })

  it('refuses options that it does not know', async () => {
    const bus = limiting()
    const rates = [
      5,
      {},
      { limit: 0, per: '1s' },
      { limit: 1 },
      { limit: 1, per: 'second' },
      { limit: 1, per: '1s', burst: 0 },
    ]
    for (const rate of [...rates, { limit: 1, per: '1s', by: 'topic' }, { limit: 1, per: '1s', brust: 3 }])
      expect(() => bus.consume(TOPIC, () => {}, { rate: rate as never }), JSON.stringify(rate)).to.throw('rate')
    const errors = new Received<{ code?: string }>()
    await bus.consume(
      TOPIC,
      (_, context) => {
        try {
          context.rateLimit('1s')
        } catch (error) {
          errors.add(error as { code?: string })
        }
      },
      { group: 'unlimited' },
    ).ready
    await bus.publish(TOPIC, 1)
    expect((await errors.count(1))[0]?.code).to.equal('INVALID_OPTIONS')
  })
})
