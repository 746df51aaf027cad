/** What a test file needs around it: a Redis of its own, a fresh namespace for each test, and everything gone at the end. */
import { randomBytes } from 'node:crypto'
import { type Bus, type BusOptions, createBus } from '@busway/bus'
import { type RedisServer, type StartRedisOptions, startRedis } from '@busway/testing'
import { Redis } from 'ioredis'
import { violations } from '../lua/invariants.js'
import { readNamespace } from '../lua/snapshot.js'
import { LogLines } from './log-lines.js'
import { type RedisProxy, startProxy } from './proxy.js'
import { startWorker, type Worker, type WorkerOptions } from './worker.js'

export type AnyBus = Bus<Record<string, unknown>, never>

export interface World {
  readonly server: RedisServer
  /** A connection of the test's own, to look with. */
  readonly redis: Redis
  /** Fresh for each test. */
  readonly namespace: string
  /** What all buses of this test logged. */
  readonly log: LogLines
  /** A bus in this test's namespace, closed after the test. */
  bus(options?: Partial<Omit<BusOptions<Record<string, unknown>, readonly []>, 'topics' | 'plugins'>>): AnyBus
  /** A proxy in front of this world's Redis, closed after the test. */
  proxy(): Promise<RedisProxy>
  /** A consumer in a process of its own, killed after the test if it still runs. */
  worker(options: Omit<WorkerOptions, 'redis' | 'namespace'> & { redis?: string }): Promise<Worker>
  /** Run after the test, last first, before the buses are closed. */
  atEnd(clean: () => unknown): void
}

export interface WorldOptions extends Pick<StartRedisOptions, 'args' | 'keepData'> {
  /** Whether the data must obey docs/data-model.md after each test. Default true. */
  checkData?: boolean
}

/** Registers the hooks of a `describe`. The world's members can be read inside hooks and tests only. */
export function world(options: WorldOptions = {}): World {
  let server: RedisServer
  let redis: Redis
  let namespace = ''
  let log = new LogLines()
  const cleaning: (() => unknown)[] = []
  const closing: (() => unknown)[] = []

  before(async function () {
    this.timeout(60_000)
    server = await startRedis({ args: options.args ?? [], keepData: options.keepData ?? false })
    redis = new Redis(server.url, { lazyConnect: false })
    redis.on('error', () => {})
  })
  beforeEach(() => {
    namespace = `t${randomBytes(4).toString('hex')}`
    log = new LogLines()
  })
  afterEach(async () => {
    for (const clean of cleaning.splice(0).reverse()) await clean()
    for (const close of closing.splice(0).reverse()) await close()
    if (options.checkData ?? true) await expectConsistent(redis, namespace)
  })
  after(async () => {
    redis?.disconnect()
    await server?.stop()
  })

  return {
    get server() {
      return server
    },
    get redis() {
      return redis
    },
    get namespace() {
      return namespace
    },
    get log() {
      return log
    },
    bus(options = {}) {
      const bus = createBus({ service: 'test', redis: server.url, namespace, logger: log.logger, ...options })
      bus.on('error', () => {})
      closing.push(() => bus.close({ timeout: 2000 }))
      return bus as AnyBus
    },
    async proxy() {
      const proxy = await startProxy(server.url)
      closing.push(() => proxy.close())
      return proxy
    },
    async worker(options) {
      const worker = await startWorker({ redis: server.url, namespace, ...options })
      closing.push(() => worker.kill())
      return worker
    },
    atEnd: (clean) => void cleaning.push(clean),
  }
}

/** Throws if anything in the namespace contradicts docs/data-model.md: a wrong count, a key nobody accounts for, a message held twice. */
export async function expectConsistent(redis: Redis, namespace: string): Promise<void> {
  const topics = await readNamespace(redis, namespace)
  const found = topics.flatMap((topic) => violations(topic).map((what) => `${topic.topic}: ${what}`))
  if (found.length > 0) throw new Error(`the data in ${namespace} is not consistent:\n  ${found.join('\n  ')}`)
}

/**
 * Throws unless the namespace is idle and clean: consistent, and without a message, a lease or a waiting list. What may stay is
 * said in docs/data-model.md: meta, groups, the state of each group, live sessions, and producers for a day.
 */
export async function namespaceIsClean(redis: Redis, namespace: string): Promise<void> {
  await expectConsistent(redis, namespace)
  const kept = (await readNamespace(redis, namespace)).flatMap((topic) => topic.leftovers)
  if (kept.length > 0) throw new Error(`an idle namespace keeps ${kept.join(', ')}`)
}
