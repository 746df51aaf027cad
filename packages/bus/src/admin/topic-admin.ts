/** Looking after one topic. What concerns one of its groups is in group-admin.ts. */
import { stats } from '@busway/lua'
import type { GroupAdmin, GroupStats, TopicAdmin, TopicStats } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkGroup } from '../validate/names.js'
import { createGroupAdmin } from './group-admin.js'

/** `topic` is checked already. */
export const createTopicAdmin = (dependencies: AdminDependencies, topic: string): TopicAdmin => ({
  name: topic,
  stats: async () => (await readStats(dependencies, topic)).stats,
  group(name: string): GroupAdmin {
    checkGroup(name)
    return createGroupAdmin(dependencies, topic, name)
  },
})

/** The numbers and Redis' time at which they held. */
export async function readStats(
  { runner }: Pick<AdminDependencies, 'runner'>,
  topic: string,
): Promise<{ nowMs: number; stats: TopicStats }> {
  const { nowMs, scheduled, unclaimed, outbox, groups } = await runner.runRepeatable(stats, topic, undefined)
  const named: Record<string, GroupStats> = {}
  for (const [name, { ref: _ref, ...group }] of Object.entries(groups)) named[name] = group
  return { nowMs, stats: { scheduled, unclaimed, outbox, groups: named } }
}
