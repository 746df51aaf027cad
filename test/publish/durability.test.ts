import type { BusOptions, ConsumeContext, Durability, Message } from '@busway/bus'
import { type RedisServer, startRedis } from '@busway/testing'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { RedisFailureError } from '../../packages/bus/src/errors/redis-failure.js'
import { Confirmation, checkAof } from '../../packages/bus/src/publish/durability.js'
import type { Runner } from '../../packages/bus/src/redis/runner.js'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('a publish that waits for replicas', () => {
  const w = world()
  let replica: RedisServer
  const durability: Durability = { replicas: 1 }
  const durable = (options: Partial<BusOptions> = {}) => w.bus({ durability, ...(options as object) })
  /** Every WAIT that Redis is sent from now on. */
  const waits = async () => {
    const asked = new Received<string>()
    const monitor = await w.redis.monitor()
    w.atEnd(() => monitor.disconnect())
    monitor.on('monitor', (_time: string, [name]: string[]) => {
      if (String(name).toLowerCase() === 'wait') asked.add('wait')
    })
    return asked
  }
  const connectionNames = async () =>
    [...String(await w.redis.client('LIST')).matchAll(/ name=(busway:\S+)/g)].map(([, name]) => name)

  before(async function () {
    this.timeout(30_000)
    replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(w.server.port)] })
  })
  beforeEach(async function () {
    this.timeout(20_000)
    // Until the replica keeps up, again.
    await w.redis.set('a write to wait for', 1)
    expect(await w.redis.wait(1, 15_000)).to.equal(1)
  })
  afterEach(() => replica.resume())
  after(() => replica.stop())

  it('resolves when so many have it', async () => {
    const bus = durable()
    const received = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => received.add(body), { concurrency: 1 }).ready
    const receipts = await Promise.all(numbers(300).map((n) => bus.publish('orders.paid', n)))
    const there = new Redis(replica.url)
    expect(await there.exists(`${w.namespace}:{orders.paid}:meta`)).to.equal(1)
    there.disconnect()
    expect(new Set(receipts.map(({ status }) => status))).to.deep.equal(new Set(['accepted']))
    expect(await received.count(300)).to.deep.equal(numbers(300))
    await bus.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('rejects with PUBLISH_UNKNOWN if they do not confirm it in time; the message is there all the same', async () => {
    const bus = w.bus()
    await bus.publish('orders.paid', 'before', { durability })
    await replica.pause()
    const error = await failure(bus.publish('orders.paid', 'late', { durability: { replicas: 1, timeout: 150 } }))
    expect(error).to.include({ code: 'PUBLISH_UNKNOWN' })
    expect(error.details).to.deep.equal({ confirmed: 0, replicas: 1 })
    expect(error.message).to.contain('0 of 1 replicas had confirmed it within 150 ms')
    await replica.resume()
    const receipt = await bus.publish('orders.paid', 'after', { durability })
    expect(receipt.status).to.equal('accepted')
    const received = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => received.add(body), { concurrency: 1 }).ready
    expect(await received.count(3)).to.deep.equal(['before', 'late', 'after'])
  })

  it('waits longer than a socket may be silent, and is confirmed when they are back', async () => {
    const bus = w.bus()
    await bus.publish('orders.paid', 1, { durability })
    await replica.pause()
    const asked = await waits()
    const publish = bus.publish('orders.paid', 2, { durability: { replicas: 1, timeout: '30s' } })
    await asked.count(2)
    await replica.resume()
    expect(await publish).to.include({ status: 'accepted' })
  }).timeout(20_000)

  it('says how many have it, where more replicas are wanted than there are', async () => {
    const bus = w.bus()
    const wanted: Durability = { replicas: 3, timeout: 100 }
    const error = await failure(bus.publish('orders.paid', 1, { durability: wanted }))
    expect(error.details).to.deep.equal({ confirmed: 1, replicas: 3 })
    await bus.topic('orders.paid').purge({ state: 'unclaimed' })
  })

  it('is sent again when its connection goes before it is confirmed, and happens once', async () => {
    const proxy = await w.proxy()
    const bus = durable({ redis: proxy.url })
    const received = new Received<unknown>()
    await w.bus().consume('orders.paid', ({ body }) => received.add(body), { concurrency: 1 }).ready
    await bus.publish('orders.paid', 'first')
    await replica.pause()
    const written = await waits()
    const publishes = ['second', 'third'].map((body) => bus.publish('orders.paid', body))
    await written.count(1)
    proxy.cut()
    // Confirmed by what the repeated request writes: a fresh connection has nothing to wait for but that.
    await written.count(2)
    await replica.resume()
    const receipts = await Promise.all(publishes)
    expect(receipts.map(({ status }) => status)).to.deep.equal(['accepted', 'accepted'])
    await bus.publish('orders.paid', 'fourth')
    expect(await received.count(4)).to.deep.equal(['first', 'second', 'third', 'fourth'])
  })

  it('is not confirmed by a repetition while no replica has it', async () => {
    const proxy = await w.proxy()
    const bus = w.bus({ redis: proxy.url })
    const wanted: Durability = { replicas: 1, timeout: 400 }
    await bus.publish('orders.paid', 1, { durability: wanted })
    await replica.pause()
    const asked = await waits()
    const publish = failure(bus.publish('orders.paid', 2, { durability: wanted }))
    await asked.count(1)
    proxy.cut()
    expect(await publish).to.include({ code: 'PUBLISH_UNKNOWN' })
    await replica.resume()
    await bus.topic('orders.paid').purge({ state: 'unclaimed' })
  }).timeout(20_000)

  it('holds up no publish that does not wait, and takes a third connection only where it is asked for', async () => {
    const bus = w.bus()
    await bus.consume('orders.paid', () => {}).ready
    await bus.publish('orders.paid', 1)
    expect(await connectionNames()).to.have.members(['busway:test', 'busway:test:wakes'])
    await bus.publish('orders.paid', 2, { durability })
    expect(await connectionNames()).to.have.members(['busway:test', 'busway:test:wakes', 'busway:test:durable'])
    await replica.pause()
    const waiting = bus.publish('orders.paid', 3, { durability })
    for (const n of numbers(20)) await bus.publish('orders.paid', n)
    await replica.resume()
    await waiting
    await bus.close()
    expect(await connectionNames()).to.deep.equal([])
  })

  it('joins with others of its kind in one request, and one confirmation', async () => {
    const bus = durable()
    await bus.publish('orders.paid', 0)
    const asked = async () => Number(/cmdstat_wait:calls=(\d+)/.exec(await w.redis.info('commandstats'))?.[1])
    const before = await asked()
    await Promise.all(numbers(400).map((n) => bus.publish('orders.paid', n)))
    expect((await asked()) - before).to.be.below(40)
    await bus.topic('orders.paid').purge({ state: 'unclaimed' })
  })

  it('keeps what its handlers publish in the outbox until they have that, too', async () => {
    const bus = durable({ durability: { replicas: 1, timeout: 100 } })
    const received = new Received<unknown>()
    await w.bus().consume('invoices.wanted', ({ body }) => received.add(body)).ready
    const handle = async ({ body }: Message, context: ConsumeContext) => context.publish('invoices.wanted', body)
    await bus.consume('orders.paid', handle, { lease: 900 }).ready
    await replica.pause()
    await bus.publish('orders.paid', 7, { durability: 'memory' })
    const { error } = await w.log.first(({ destination }) => destination === 'invoices.wanted')
    expect(error).to.contain('0 of 1 replicas').and.contain('it stays in the outbox')
    expect(await received.count(1)).to.deep.equal([7])
    const outbox = async () => (await bus.topic('orders.paid').stats()).outbox
    expect(await outbox()).to.equal(1)
    await replica.resume()
    await eventually(w, 'the outbox to be empty', async () => (await outbox()) === 0 || undefined)
    expect(received.items).to.deep.equal([7])
  }).timeout(30_000)

  it('can be chosen against the default of its bus, and has rejections and duplicates as others do', async () => {
    const bus = durable()
    await replica.pause()
    expect(await bus.publish('orders.paid', 1, { durability: 'memory', id: 'same' })).to.include({ status: 'accepted' })
    await replica.resume()
    expect(await bus.publish('orders.paid', 1, { id: 'same' })).to.include({ status: 'duplicate' })
    const batch = await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }])
    expect(batch).to.have.length(2)
    await bus.topic('orders.paid').purge({ state: 'unclaimed' })
  })

  it('is refused in a settle, in a batch of several kinds, and with what is none', async () => {
    const bus = w.bus()
    const mixed = bus.publishBatch('orders.paid', [{ body: 1, durability }, { body: 2 }])
    expect(await failure(mixed)).to.include({ code: 'INVALID_OPTIONS' })
    for (const wrong of ['disk', {}, { replicas: 0 }, { replicas: 1.5 }, { replicas: 1, timout: 5 }, 7])
      expect(await failure(bus.publish('orders.paid', 1, { durability: wrong as never }))).to.include({
        code: 'INVALID_OPTIONS',
      })
    expect(() => w.bus({ durability: 'disk' as never })).to.throw('durability')
    const errors = new Received<Error & Record<string, unknown>>()
    await bus.consume('orders.paid', async (_, context) => {
      await context.publish('invoices.wanted', 1, { durability }).catch((error) => errors.add(error))
    }).ready
    await bus.publish('orders.paid', 1)
    expect((await errors.count(1))[0]).to.include({ code: 'INVALID_OPTIONS' })
  })

  it("of 'aof' is CONFIG_INVALID on a server that cannot confirm it, before anything is written", async () => {
    const bus = w.bus()
    const error = await failure(bus.publish('orders.paid', 1, { durability: 'aof' }))
    expect(error).to.include({ code: 'CONFIG_INVALID' })
    expect(error.message).to.match(/7\.2 or newer|appendonly yes/)
    expect(await w.redis.exists(`${w.namespace}:{orders.paid}:meta`)).to.equal(0)
    expect(await failure(w.bus({ durability: 'aof' }).ready())).to.include({ code: 'CONFIG_INVALID' })
  })
})

describe('the confirmation of a publish on disk', () => {
  /** A connection that answers as a server that has WAITAOF. */
  const answering = (answers: (unknown | Error)[], info = '') => {
    const asked: string[][] = []
    const runner = {
      address: { text: 'redis:6379' },
      async call(command: string, args: string[]) {
        asked.push([command, ...args])
        const answer = answers.length > 1 ? answers.shift() : answers[0]
        if (answer instanceof Error) throw answer
        return answer
      },
      command: async () => info,
    }
    return { runner: runner as unknown as Runner, asked }
  }
  const isAccepted = ({ status }: { status: 'ok' | 'gap' }) => status === 'ok'
  const accepted = { status: 'ok' as const, nowMs: 1, outcomes: [], guardErrors: [], outbox: false }

  it('is asked until it is there', async () => {
    const { runner, asked } = answering([
      [0, 0],
      [1, 0],
    ])
    const confirmation = new Confirmation('orders.paid', runner, { kind: 'aof', timeoutMs: 5_000 })
    expect(await confirmation.of(Promise.resolve(accepted), isAccepted)).to.deep.equal({ reply: accepted })
    expect(asked.map((words) => words.slice(0, 3))).to.deep.equal(Array(2).fill(['WAITAOF', '1', '0']))
  })

  it('that does not come in time, or is refused, says so', async () => {
    const late = new Confirmation('orders.paid', answering([[0, 0]]).runner, { kind: 'aof', timeoutMs: 5 })
    const { unconfirmed } = await late.of(Promise.resolve(accepted), isAccepted)
    expect(unconfirmed).to.include({ code: 'PUBLISH_UNKNOWN' })
    expect(unconfirmed?.message).to.contain('it was not on its disk within 5 ms')
    const refusal = new RedisFailureError('failed', 'ERR appendonly is disabled', {})
    const refused = new Confirmation('orders.paid', answering([refusal]).runner, { kind: 'aof', timeoutMs: 5 })
    expect((await refused.of(Promise.resolve(accepted), isAccepted)).unconfirmed?.message).to.contain(
      'appendonly is disabled',
    )
  })

  it('that is lost with its connection leaves the request unanswered, though its own answer came', async () => {
    const gone = new RedisFailureError('unsent', 'the connection went', {})
    const confirmation = new Confirmation('orders.paid', answering([gone]).runner, { kind: 'aof', timeoutMs: 5_000 })
    expect(await failure(confirmation.of(Promise.resolve(accepted), isAccepted))).to.include({ kind: 'unknown' })
  })

  it('is nothing to wait for where the request was not accepted', async () => {
    const { runner } = answering([[0, 0]])
    const confirmation = new Confirmation('orders.paid', runner, { kind: 'aof', timeoutMs: 60_000 })
    const gap = { status: 'gap' as const, last: 3 }
    expect(await confirmation.of(Promise.resolve(gap), isAccepted)).to.deep.equal({ reply: gap })
  })

  it('takes a server that can', async () => {
    const on = (version: string, enabled: string) => answering([], `${version}\r\naof_enabled:${enabled}\r\n`).runner
    await checkAof(on('redis_version:7.2.4', '1'))
    await checkAof(on('redis_version:7.2.4\r\nvalkey_version:8.1.0', '1'))
    expect(await failure(checkAof(on('redis_version:7.0.15', '1'))))
      .to.have.property('message')
      .that.contains('7.2')
    expect(await failure(checkAof(on('redis_version:8.0.0', '0'))))
      .to.have.property('message')
      .that.contains('appendonly yes')
  })
})
