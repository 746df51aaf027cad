import { randomBytes } from 'node:crypto'
import { type Bus, type BusOptions, createBus } from '@busway/bus'
import { type RedisServer, type SentinelDeployment, startSentinels } from '@busway/testing'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { expectConsistent } from '../support/private-redis.js'
import { Publisher } from '../support/publisher.js'
import { Received } from '../support/received.js'
import { startWorker, type Worker } from '../support/worker.js'

const TOPIC = 'orders.paid'
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('a primary that Sentinels watch over', function () {
  this.timeout(60_000)
  let deployment: SentinelDeployment
  let namespace = ''
  const closing: (() => unknown)[] = []

  before(async () => {
    deployment = await startSentinels()
  })
  after(() => deployment?.stop())
  beforeEach(() => {
    namespace = `t${randomBytes(4).toString('hex')}`
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  const redis = () => deployment.redis as NonNullable<BusOptions['redis']>
  const bus = (options: Partial<BusOptions> = {}): Bus => {
    const made = createBus({ service: 'test', redis: redis(), namespace, logger: false, ...(options as object) })
    made.on('error', () => {})
    closing.push(() => made.close({ timeout: 2_000 }))
    return made
  }
  const publisher = (durability?: { replicas: number }): Publisher => {
    const made = new Publisher({ redis: redis(), namespace, topics: [TOPIC], ...(durability && { durability }) })
    closing.push(() => made.kill())
    return made
  }
  const worker = async (): Promise<Worker> => {
    const consume = { group: 'ledger', lease: 2_000 }
    const made = await startWorker({ redis: redis(), namespace, topic: TOPIC, behaviour: 'ack', consume })
    closing.push(() => made.kill())
    return made
  }
  /** The old primary comes back as a replica before the next test. */
  const failOver = async (dying: RedisServer): Promise<void> => {
    await dying.kill()
    closing.push(async () => {
      if (dying.pid === undefined) await deployment.rejoin(dying)
      await deployment.settled()
    })
  }
  /** What it writes from now on reaches no replica. */
  const detach = async (primary: RedisServer): Promise<void> => {
    const connection = new Redis(primary.url)
    await connection.client('KILL', 'TYPE', 'REPLICA')
    connection.disconnect()
  }
  const bodies = (...workers: Worker[]): number[] =>
    workers.flatMap((each) => each.of('started').map(({ body }) => body as number))
  const expectSound = async (): Promise<void> => {
    const connection = new Redis((await deployment.primary()).url)
    await expectConsistent(connection, namespace)
    connection.disconnect()
  }

  it('is found by them', async () => {
    const connected = bus()
    await connected.ready()
    const received = new Received<unknown>()
    await connected.consume(TOPIC, ({ body }) => received.add(body), { concurrency: 1 }).ready
    for (const n of numbers(10)) await connected.publish(TOPIC, n)
    expect(await received.count(10)).to.deep.equal(numbers(10))
  })

  it('is told by name, and refused without one', () => {
    const { sentinels } = deployment.redis
    const wrong = [{ sentinels }, { sentinels: [], name: 'busway' }, { sentinels, name: 'busway', role: 'slave' }]
    for (const given of wrong)
      expect(() => createBus({ service: 'test', redis: given as never }))
        .to.throw()
        .with.property('code', 'CONFIG_INVALID')
  })

  it('says who is to be looked at when none of them answers', async () => {
    const nobody = createBus({
      service: 'test',
      redis: { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'shop' },
      logger: false,
      publishTimeout: 200,
    })
    closing.push(() => nobody.close())
    const error = await nobody.ready().then(
      () => expect.fail('it is ready'),
      (reason) => reason,
    )
    expect(error).to.have.property('code', 'REDIS_UNAVAILABLE')
    expect(error.message).to.contain('127.0.0.1:1').and.to.contain('name a primary for "shop"')
  })

  it('fails over with { replicas: 1 }: no confirmed publish is lost, and consumers settle all of them', async () => {
    const consumers = [await worker(), await worker()]
    const producers = [publisher({ replicas: 1 }), publisher({ replicas: 1 })]
    await Promise.all(producers.map((each) => each.confirms(200)))
    const dying = await deployment.primary()
    await failOver(dying)
    await deployment.settled(0)
    // One of two servers is gone: nobody can confirm for two until it is back.
    await deployment.rejoin(dying)
    await Promise.all(producers.map((each) => each.confirms(50, 30_000)))
    await Promise.all(producers.map((each) => each.stop()))
    const confirmed = producers.map((each) => each.of('published').map(({ n }) => n))
    await deployment.settled()
    const watcher = bus()
    for (const consumer of consumers)
      await consumer.reports.until(() => {
        const counts = new Map<number, number>()
        for (const n of bodies(...consumers)) counts.set(n, (counts.get(n) ?? 0) + 1)
        // Both publish the same numbers.
        return confirmed.flat().every((n) => (counts.get(n) ?? 0) >= confirmed.filter((own) => own.includes(n)).length)
      }, 'all confirmed publishes to be handled')
    const { groups } = await watcher.topic(TOPIC).stats()
    expect(groups.ledger).to.include({ dead: 0 })
    await expectSound()
  })

  it('fails over to a replica that lagged: what was confirmed meanwhile is lost, both sides say so and go on', async () => {
    const rollbacks = new Received<{ side: string }>()
    const handled = new Received<number>()
    const both = bus()
    both.on('rollback', rollbacks.add)
    await both.consume(TOPIC, ({ body }) => void handled.add(body as number), { concurrency: 1, lease: 2_000 }).ready
    for (const n of numbers(20)) await both.publish(TOPIC, n, { durability: { replicas: 1 } })
    await handled.count(20)
    const dying = await deployment.primary()
    const lagging = deployment.servers.find((server) => server !== dying) as RedisServer
    await lagging.pause()
    await detach(dying)
    for (const n of numbers(20, 20)) await both.publish(TOPIC, n)
    await handled.count(40)
    await failOver(dying)
    await lagging.resume()
    for (const n of numbers(20, 40)) await both.publish(TOPIC, n)
    await rollbacks.first(({ side }) => side === 'producer', 'the rollback, told by the producer')
    await handled.until((items) => numbers(20, 40).every((n) => items.includes(n)), 'what came after it')
    // Nothing is lost but what the lagging replica had not got, and that had been handled before.
    expect(new Set(handled.items)).to.deep.equal(new Set(numbers(60)))
    await expectSound()
  })
})
