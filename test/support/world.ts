/** What a test file needs around a bus: a Redis of its own, buses, proxies and worker processes, all gone after each test. */
import { type Bus, type BusOptions, createBus } from '@busway/bus'
import type { StartRedisOptions } from '@busway/testing'
import { LogLines } from './log-lines.js'
import { expectNothingLeft } from './nothing-left.js'
import { expectConsistent, type PrivateRedis, privateRedis } from './private-redis.js'
import { type RedisProxy, startProxy } from './proxy.js'
import { startWorker, type Worker } from './worker.js'
import type { WorkerSetup } from './worker-protocol.js'

export { namespaceIsClean } from './private-redis.js'

/** The options of a bus here, without those that change its type. */
export type PlainBusOptions = Partial<Omit<BusOptions, 'topics' | 'plugins'>>

export interface World extends PrivateRedis {
  /** Whether `server` and `redis` stand for all of a Redis Cluster. */
  readonly isCluster: boolean
  /** Where keys are: the addresses of the masters, or of the only server. */
  masters(): Promise<string[]>
  /** What all buses of this test logged. */
  readonly log: LogLines
  /** A bus in this test's namespace, closed after the test. */
  bus(options?: PlainBusOptions): Bus
  /** A proxy in front of this world's Redis, closed after the test. */
  proxy(): Promise<RedisProxy>
  /** A consumer in a process of its own, killed after the test if it still runs. */
  worker(setup: Omit<WorkerSetup, 'redis' | 'namespace'> & Partial<Pick<WorkerSetup, 'redis'>>): Promise<Worker>
  /** Run after the test, the last first, before the buses are closed. */
  atEnd(clean: () => unknown): void
}

export type WorldOptions = Pick<StartRedisOptions, 'args' | 'keepData'>

/** Registers the hooks of a `describe`. After each test the data must obey docs/data-model.md; after all of them nothing may be left that does not go by itself. */
export function world(options: WorldOptions = {}): World {
  return worldOf(
    () => privateRedis(options),
    (place) => ({
      isCluster: false,
      redis: place.server.url,
      masters: async () => [place.server.url],
      proxy: () => startProxy(place.server.url),
    }),
  )
}

/** What differs between one Redis and a cluster. */
export interface Surroundings extends Pick<World, 'isCluster' | 'masters' | 'proxy'> {
  readonly redis: NonNullable<BusOptions['redis']>
}

/** A world in a place that is made here, so that its hooks run in their order. */
export function worldOf(makePlace: () => PrivateRedis, around: (place: PrivateRedis) => Surroundings): World {
  const namespaces: string[] = []
  // Before the server is stopped: hooks run in the order of their registration.
  after(async function () {
    this.timeout(60_000)
    await expectNothingLeft(place.redis, around(place).redis, namespaces)
  })
  const place = makePlace()
  let log = new LogLines()
  const cleaning: (() => unknown)[] = []
  const closing: (() => unknown)[] = []

  beforeEach(() => {
    log = new LogLines()
    namespaces.push(place.namespace)
  })
  afterEach(async () => {
    for (const clean of cleaning.splice(0).reverse()) await clean()
    for (const close of closing.splice(0).reverse()) await close()
    await expectConsistent(place.redis, place.namespace)
  })

  return {
    get isCluster() {
      return around(place).isCluster
    },
    masters: () => around(place).masters(),
    get server() {
      return place.server
    },
    get redis() {
      return place.redis
    },
    get namespace() {
      return place.namespace
    },
    get log() {
      return log
    },
    bus(options = {}) {
      const { namespace } = place
      const { redis } = around(place)
      const bus = createBus({ service: 'test', redis, namespace, logger: log.logger, ...options })
      bus.on('error', () => {})
      closing.push(() => bus.close({ timeout: 2000 }))
      return bus
    },
    async proxy() {
      const proxy = await around(place).proxy()
      closing.push(() => proxy.close())
      return proxy
    },
    async worker(setup) {
      const worker = await startWorker({ redis: around(place).redis, namespace: place.namespace, ...setup })
      closing.push(() => worker.kill())
      return worker
    },
    atEnd: (clean) => void cleaning.push(clean),
  }
}
