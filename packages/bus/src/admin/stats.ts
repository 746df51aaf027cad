/** A topic's numbers, for the admin of the topic and of each of its groups. */
import { stats } from '@busway/lua'
import type { GroupStats, TopicStats } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'

/** The numbers and Redis' time at which they held. */
export async function readStats(
  { runner }: Pick<AdminDependencies, 'runner'>,
  topic: string,
): Promise<{ nowMs: number; stats: TopicStats }> {
  const { nowMs, scheduled, unclaimed, outbox, retained, groups } = await runner.runRepeatable(stats, topic, undefined)
  const named: Record<string, GroupStats> = {}
  for (const [name, { ref: _ref, ...group }] of Object.entries(groups)) named[name] = group
  return { nowMs, stats: { scheduled, unclaimed, outbox, ...(retained > 0 && { retained }), groups: named } }
}
