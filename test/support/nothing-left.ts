/** What a suite leaves in Redis once its topics are deleted, and the patterns of its groups removed: nothing that does not go by itself. */
import { type BusOptions, createBus, type Plugin, type Scope } from '@busway/bus'
import type { Redis } from 'ioredis'

/** Keys of plugins that no message owns stay, as docs/administration.md says. */
const OF_PLUGINS = /:\{[^}]*\}:x:/
/** Deleting a topic passes on what its handlers published to others, which makes those anew. */
const ROUNDS = 5

export async function expectNothingLeft(
  redis: Redis,
  address: NonNullable<BusOptions['redis']>,
  namespaces: readonly string[],
): Promise<void> {
  for (const namespace of namespaces) {
    await deleteTopics(address, redis, namespace)
    const left = (await keysOf(redis, namespace)).filter((key) => !OF_PLUGINS.test(key))
    const lasting: string[] = []
    for (const key of left) if ((await redis.ttl(key)) === -1) lasting.push(key)
    if (lasting.length > 0)
      throw new Error(
        `with all its topics deleted and all patterns removed, the namespace keeps for ever: ${lasting.join(', ')}`,
      )
  }
}

async function deleteTopics(address: NonNullable<BusOptions['redis']>, redis: Redis, namespace: string): Promise<void> {
  // The topics of plugins, which begin with $, are for plugins alone.
  let inside: Scope['bus'] | undefined
  const janitor: Plugin<'janitor'> = {
    name: 'janitor',
    api: 1,
    setup(scope) {
      scope.ready(() => {
        inside = scope.bus
      })
    },
  }
  await using bus = createBus({ service: 'janitor', redis: address, namespace, logger: false, plugins: [janitor] })
  await bus.ready()
  for (const { pattern, group } of await bus.patterns()) await bus.removePattern(pattern, { group })
  for (let round = 0; round < ROUNDS; round++) {
    const topics = await redis.smembers(`${namespace}:{$bus}:topics`)
    if (topics.length === 0) return
    for (const topic of topics) await inside?.topic(topic).delete({ force: true })
  }
}

async function keysOf(redis: Redis, namespace: string): Promise<string[]> {
  const keys: string[] = []
  for (let cursor = '0'; ; ) {
    const [next, page] = await redis.scan(cursor, 'MATCH', `${namespace}:*`, 'COUNT', 1000)
    keys.push(...page)
    cursor = next
    if (cursor === '0') return keys
  }
}
