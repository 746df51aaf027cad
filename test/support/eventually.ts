/** Waiting for a state of Redis: asked again whenever a key of the namespace changes, not on a timer. */
import { Redis } from 'ioredis'
import { deadline } from './deadline.js'
import type { World } from './world.js'

/**
 * Resolves with what `look` gives as soon as it is not undefined. Looks at once and after every change of a key in the test's
 * namespace.
 */
export async function eventually<T>(
  world: Pick<World, 'redis' | 'namespace'> & (Pick<World, 'masters'> | Pick<World, 'server'>),
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  withinMs?: number,
): Promise<T> {
  const urls = 'masters' in world ? await world.masters() : [world.server.url]
  const watchers = urls.map((url) => new Redis(url).on('error', () => {}))
  let changed: () => void = () => {}
  let watching = true
  const search = async () => {
    await world.redis.config('SET', 'notify-keyspace-events', 'KA')
    await Promise.all(watchers.map((watcher) => watcher.psubscribe(`__keyspace@0__:${world.namespace}:*`)))
    while (watching) {
      const change = new Promise<void>((resolve) => {
        changed = resolve
      })
      const found = await look()
      if (found !== undefined) return found
      await change
    }
    throw new Error('nobody waits any more')
  }
  for (const watcher of watchers) watcher.on('pmessage', () => changed())
  try {
    return await deadline(search(), withinMs, () => what)
  } finally {
    watching = false
    changed()
    for (const watcher of watchers) watcher.disconnect()
  }
}
