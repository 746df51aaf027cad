/** Looking after one topic. What concerns one of its groups is in group-admin.ts. */
import type {
  DeleteOptions,
  GroupAdmin,
  TopicAdmin,
  TopicPeekOptions,
  TopicPeekState,
  TopicPurgeOptions,
} from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkGroup } from '../validate/names.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { cancelMessage } from './cancel.js'
import { createGroupAdmin } from './group-admin.js'
import { messageInfo } from './message.js'
import { checkPage } from './pages.js'
import { peekPage } from './peek.js'
import { readStats } from './stats.js'
import { deleteWholeTopic, purgeOfTopic } from './topic-removal.js'
import { updateMessage } from './update.js'

const PURGED = "'scheduled' or 'unclaimed'; what a group has is purged by bus.topic(name).group(name).purge"
const STATES = "'scheduled' or 'unclaimed'; what a group has is listed by bus.topic(name).group(name).peek"

function checkId(id: string): string {
  if (typeof id !== 'string' || id === '') throw invalidOption('id', id, "a message's id")
  return id
}

/** `topic` is checked already. */
export const createTopicAdmin = (dependencies: AdminDependencies, topic: string): TopicAdmin => ({
  name: topic,
  stats: async () => (await readStats(dependencies, topic)).stats,
  message: async (id) => messageInfo(dependencies, topic, checkId(id)),
  cancel: async (id, options) => cancelMessage(dependencies, topic, checkId(id), options),
  update: async (id, changes) => updateMessage(dependencies, topic, checkId(id), changes),
  reschedule: async (id, delay) => updateMessage(dependencies, topic, checkId(id), { delay }),
  settled: (id, options) => dependencies.watches.settled(topic, id, options),
  group(name: string): GroupAdmin {
    checkGroup(name)
    return createGroupAdmin(dependencies, topic, name)
  },
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
  async delete(options: DeleteOptions = {}) {
    checkOptionsObject('delete', options)
    checkNames('delete', options, ['force'])
    const { force = false } = options
    if (typeof force !== 'boolean') throw invalidOption('force', force, 'true or false')
    return deleteWholeTopic(dependencies, topic, force)
  },
})
