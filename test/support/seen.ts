import { eventually } from './eventually.js'
import type { World } from './world.js'

/** Resolves when Redis has heard that the messages run which it pushed to the sessions of a group: from then on a crash of their process counts. */
export const seen = (
  world: Pick<World, 'server' | 'redis' | 'namespace'>,
  topic: string,
  group: string,
): Promise<void> =>
  eventually(world, 'what was pushed to be seen', async () => {
    const sessions = await world.redis.keys(`${world.namespace}:{${topic}}:${group}@*:session:*`)
    const unseen = await Promise.all(sessions.map((session) => world.redis.hget(session, 'unseen')))
    return unseen.every((lease) => !lease) || undefined
  }).then(() => undefined)
