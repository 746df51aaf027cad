/**
 * Looking after one topic, whatever number of partitions it has: that is read for each call, so that any bus can, also one that does not define the topic. What it does in
 * one place is in one-topic.ts, and what is put together of several in partitioned-topic.ts.
 */
import type { DeleteOptions, GroupAdmin, TopicAdmin } from '../api/index.js'
import { partitionNames } from '../partitions/names.js'
import { PartitionRunner } from '../partitions/partition-runner.js'
import type { AdminDependencies, TopicAdminDependencies } from '../seams.js'
import { checkGroup } from '../validate/names.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { createTopicPart, type TopicPart } from './one-topic.js'
import { partitionedTopic } from './partitioned-topic.js'
import { deleteWholeTopic } from './topic-removal.js'

/** `topic` is checked already. */
export function createTopicAdmin(dependencies: TopicAdminDependencies, topic: string): TopicAdmin {
  /** What concerns the topic goes there: to itself, or to each of its partitions. */
  const places = async (): Promise<readonly AdminDependencies[]> => {
    const [count = 1] = await dependencies.registry.partitions([topic])
    return count === 1 ? [dependencies] : partitionNames(topic, count).map((name) => ofPartition(dependencies, name))
  }
  const part = async (): Promise<TopicPart> => {
    const parts = (await places()).map((place) => createTopicPart(place, topic))
    return parts.length === 1 ? (parts[0] as TopicPart) : partitionedTopic(topic, parts)
  }
  return {
    name: topic,
    stats: async () => (await part()).stats(),
    message: async (id) => (await part()).message(id),
    cancel: async (id, options) => (await part()).cancel(id, options),
    update: async (id, changes) => (await part()).update(id, changes),
    reschedule: async (id, delay) => (await part()).reschedule(id, delay),
    settled: (id, options) => dependencies.watches.settled(topic, id, options),
    group(name) {
      checkGroup(name)
      return groupOf(async () => (await part()).group(name))
    },
    peek: async (options) => (await part()).peek(options),
    purge: async (options) => (await part()).purge(options),
    async delete(options: DeleteOptions = {}) {
      checkOptionsObject('delete', options)
      checkNames('delete', options, ['force'])
      const { force = false } = options
      if (typeof force !== 'boolean') throw invalidOption('force', force, 'true or false')
      return deleteWholeTopic(dependencies.publisher, topic, await places(), force)
    },
  }
}

const groupOf = (group: () => Promise<GroupAdmin>): GroupAdmin => ({
  pause: async () => (await group()).pause(),
  resume: async () => (await group()).resume(),
  setConcurrency: async (limit) => (await group()).setConcurrency(limit),
  stats: async () => (await group()).stats(),
  peek: async (options) => (await group()).peek(options),
  deadLetters: async (options) => (await group()).deadLetters(options),
  redrive: async (ids) => (await group()).redrive(ids),
  purge: async (options) => (await group()).purge(options),
  consumers: async (options) => (await group()).consumers(options),
  remove: async () => (await group()).remove(),
})

function ofPartition(dependencies: TopicAdminDependencies, partition: string): AdminDependencies {
  const { runnerOf, relayer } = dependencies
  return {
    ...dependencies,
    runner: new PartitionRunner(runnerOf(partition), partition),
    relayer: {
      kick: () => relayer.kick(partition),
      relayed: () => relayer.relayed(partition),
      close: (timeoutMs) => relayer.close(timeoutMs),
    },
  }
}
