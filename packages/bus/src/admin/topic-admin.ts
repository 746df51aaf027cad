/** Looking after one topic. What concerns one of its groups is in group-admin.ts. */
import type { GroupAdmin, TopicAdmin } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkGroup } from '../validate/names.js'
import { createGroupAdmin } from './group-admin.js'
import { readStats } from './stats.js'

/** `topic` is checked already. */
export const createTopicAdmin = (dependencies: AdminDependencies, topic: string): TopicAdmin => ({
  name: topic,
  stats: async () => (await readStats(dependencies, topic)).stats,
  group(name: string): GroupAdmin {
    checkGroup(name)
    return createGroupAdmin(dependencies, topic, name)
  },
})
