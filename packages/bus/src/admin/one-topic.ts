/** Looking after a topic by itself, or one partition of a topic: what is asked of it goes to one place. What concerns one of its groups is in group-admin.ts. */
import type { GroupAdmin, TopicAdmin, TopicPeekOptions, TopicPeekState, TopicPurgeOptions } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { cancelMessage } from './cancel.js'
import { createGroupAdmin } from './group-admin.js'
import { messageInfo } from './message.js'
import { checkPage } from './pages.js'
import { peekPage } from './peek.js'
import { readStats } from './stats.js'
import { purgeOfTopic } from './topic-removal.js'
import { updateMessage } from './update.js'

const PURGED = "'scheduled' or 'unclaimed'; what a group has is purged by bus.topic(name).group(name).purge"
const STATES = "'scheduled' or 'unclaimed'; what a group has is listed by bus.topic(name).group(name).peek"

/** All but what concerns a topic as a whole. */
export type TopicPart = Omit<TopicAdmin, 'name' | 'settled' | 'delete'>

function checkId(id: string): string {
  if (typeof id !== 'string' || id === '') throw invalidOption('id', id, "a message's id")
  return id
}

/** `topic` is checked already, and the group that is asked for as well. */
export const createTopicPart = (dependencies: AdminDependencies, topic: string): TopicPart => ({
  stats: async () => (await readStats(dependencies, topic)).stats,
  message: async (id) => messageInfo(dependencies, topic, checkId(id)),
  cancel: async (id, options) => cancelMessage(dependencies, topic, checkId(id), options),
  update: async (id, changes) => updateMessage(dependencies, topic, checkId(id), changes),
  reschedule: async (id, delay) => updateMessage(dependencies, topic, checkId(id), { delay }),
  group: (name: string): GroupAdmin => createGroupAdmin(dependencies, topic, name),
  async peek<State extends TopicPeekState>(options: TopicPeekOptions<State>) {
    const page = checkPage('peek', options, ['state'])
    const { state } = options ?? {}
    if (state !== 'scheduled' && state !== 'unclaimed') throw invalidOption('state', state, STATES)
    // The state asked for is the state of all that is on the page.
    return peekPage(dependencies, topic, undefined, state, page) as Promise<never>
  },
  async purge(options: TopicPurgeOptions) {
    checkOptionsObject('purge', options)
    checkNames('purge', options ?? {}, ['state'])
    const { state } = options ?? {}
    if (state !== 'scheduled' && state !== 'unclaimed') throw invalidOption('state', state, PURGED)
    return purgeOfTopic(dependencies, topic, state)
  },
})
