/** What a test file needs around buses on a Redis Cluster of its own: all of it gone after each test, but the cluster. */
import { randomBytes } from 'node:crypto'
import { type Bus, type BusOptions, createBus } from '@busway/bus'
import { type RedisCluster, type RedisServer, startCluster } from '@busway/testing'
import { Redis } from 'ioredis'
import { slotOf } from '../../packages/bus/src/redis/slots.js'
import { violations } from '../lua/invariants.js'
import { readNamespace } from '../lua/snapshot.js'
import { mastersOf } from './cluster-masters.js'
import { Publisher, type PublisherSetup } from './publisher.js'
import { startWorker, type Worker } from './worker.js'
import type { WorkerSetup } from './worker-protocol.js'

export interface ClusterWorld {
  readonly cluster: RedisCluster
  readonly namespace: string
  bus(options?: Partial<BusOptions>): Bus
  publisher(setup: Omit<PublisherSetup, 'redis' | 'namespace'>): Publisher
  worker(setup: Omit<WorkerSetup, 'redis' | 'namespace'>): Promise<Worker>
  masterOf(topic: string): Promise<RedisServer>
  /** A master that has not got the topic. */
  anotherMaster(topic: string): Promise<RedisServer>
  /** Kills it; it is there again before the next test. */
  kill(node: RedisServer): Promise<void>
  /** What each master answers. */
  onMasters<T>(ask: (redis: Redis) => Promise<T>): Promise<T[]>
}

/** Registers the hooks of a `describe`. After each test the data of all topics must obey docs/data-model.md. */
export function clusterWorld(): ClusterWorld {
  let cluster: RedisCluster
  let namespace = ''
  const closing: (() => unknown)[] = []

  before(async function () {
    this.timeout(60_000)
    cluster = await startCluster()
  })
  after(() => cluster?.stop())
  beforeEach(() => {
    namespace = `t${randomBytes(4).toString('hex')}`
  })
  afterEach(async function () {
    this.timeout(60_000)
    for (const close of closing.splice(0).reverse()) await close()
    await cluster.settled()
    const wrong = await onMasters(async (redis) => {
      const topics = await readNamespace(redis, namespace)
      return topics.flatMap((topic) => violations(topic).map((what) => `${topic.topic}: ${what}`))
    })
    if (wrong.flat().length > 0) throw new Error(`the data is not consistent:\n  ${wrong.flat().join('\n  ')}`)
  })

  const masters = (): Promise<RedisServer[]> => mastersOf(cluster)
  const masterOf = (topic: string): Promise<RedisServer> => cluster.masterOf(slotOf(topic))

  async function onMasters<T>(ask: (redis: Redis) => Promise<T>): Promise<T[]> {
    const answers: T[] = []
    for (const { url } of await masters()) {
      const redis = new Redis(url)
      try {
        answers.push(await ask(redis))
      } finally {
        redis.disconnect()
      }
    }
    return answers
  }

  return {
    get cluster() {
      return cluster
    },
    get namespace() {
      return namespace
    },
    bus(options = {}) {
      const bus = createBus({
        service: 'test',
        redis: cluster.redis,
        namespace,
        logger: false,
        ...(options as object),
      })
      bus.on('error', () => {})
      closing.push(() => bus.close({ timeout: 2_000 }))
      return bus
    },
    publisher(setup) {
      const publisher = new Publisher({ redis: cluster.redis, namespace, ...setup })
      closing.push(() => publisher.kill())
      return publisher
    },
    async worker(setup) {
      const worker = await startWorker({ redis: cluster.redis, namespace, ...setup })
      closing.push(() => worker.kill())
      return worker
    },
    masterOf,
    async anotherMaster(topic) {
      const own = await masterOf(topic)
      return (await masters()).find((master) => master !== own) as RedisServer
    },
    async kill(node) {
      await node.kill()
      closing.push(() => (node.pid === undefined ? node.restart() : undefined))
    },
    onMasters,
  }
}
