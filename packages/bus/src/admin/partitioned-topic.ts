/** Looking after a topic with partitions: what each of them is asked for, put together. */
import type { TopicPeekOptions, TopicPeekState } from '../api/index.js'
import type { TopicPart } from './one-topic.js'
import { PartitionedGroup } from './partitioned-group.js'
import { pageOver } from './partitioned-page.js'
import { sum, sumOfTopics } from './sums.js'

export function partitionedTopic(topic: string, parts: readonly TopicPart[]): TopicPart {
  const each = <T>(ask: (part: TopicPart) => Promise<T>): Promise<T[]> => Promise.all(parts.map(ask))
  const inAny = async (ask: (part: TopicPart) => Promise<boolean>): Promise<boolean> => (await each(ask)).includes(true)
  return {
    stats: async () => sumOfTopics(await each((part) => part.stats())),
    message: async (id) => (await each((part) => part.message(id))).find((info) => info !== null) ?? null,
    cancel: (id, options) => inAny((part) => part.cancel(id, options)),
    update: (id, changes) => inAny((part) => part.update(id, changes)),
    reschedule: (id, delay) => inAny((part) => part.reschedule(id, delay)),
    group: (name) =>
      new PartitionedGroup(
        topic,
        parts.map((part) => part.group(name)),
      ),
    peek: <State extends TopicPeekState>(options: TopicPeekOptions<State>) =>
      pageOver(parts, options, (part, page) => part.peek<State>({ ...page, state: options?.state })),
    purge: async (options) => sum(await each((part) => part.purge(options)), Number),
  }
}
