/** A Redis of a test file's own, a fresh namespace for each test, and the checks of what is kept there. */
import { randomBytes } from 'node:crypto'
import { type RedisServer, type StartRedisOptions, startRedis } from '@busway/testing'
import { Redis } from 'ioredis'
import { violations } from '../lua/invariants.js'
import { readNamespace } from '../lua/snapshot.js'

export interface PrivateRedis {
  readonly server: RedisServer
  /** A connection of the test's own, to look with. */
  readonly redis: Redis
  /** Fresh for each test. */
  readonly namespace: string
}

/** Registers the hooks of a `describe`. The members can be read inside hooks and tests only. */
export function privateRedis(options: Pick<StartRedisOptions, 'args' | 'keepData'> = {}): PrivateRedis {
  let server: RedisServer
  let redis: Redis
  let namespace = ''

  before(async function () {
    this.timeout(60_000)
    server = await startRedis(options)
    redis = new Redis(server.url)
    // A server that a test kills is no error of this connection's.
    redis.on('error', () => {})
  })
  beforeEach(() => {
    namespace = `t${randomBytes(4).toString('hex')}`
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
 * said in docs/data-model.md: meta, groups, the state of each group, live sessions, and producers for a day; of the namespace its topics, and the patterns
 * that groups take part by.
 */
export async function namespaceIsClean(redis: Redis, namespace: string): Promise<void> {
  await expectConsistent(redis, namespace)
  const kept = (await readNamespace(redis, namespace)).flatMap((topic) => topic.leftovers)
  kept.push(...(await keptBeyondTopics(redis, namespace)))
  if (kept.length > 0) throw new Error(`an idle namespace keeps ${kept.join(', ')}`)
}

/** Keys of the namespace's own that it does not keep when idle, and fields that are no pattern of a group. */
async function keptBeyondTopics(redis: Redis, namespace: string): Promise<string[]> {
  const prefix = `${namespace}:{$bus}:`
  const keys = (await redis.keys(`${prefix}*`)).map((key) => key.slice(prefix.length))
  const strange = keys.filter((key) => key !== 'topics' && key !== 'patterns')
  const fields = await redis.hkeys(`${prefix}patterns`)
  return [...strange, ...fields.filter((field) => !/^[$\w.-]+ [\w.*>-]+$/.test(field))].map((what) => `$bus ${what}`)
}
