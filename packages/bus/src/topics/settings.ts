/** What of a topic's definition is kept in Redis, for everyone who publishes and consumes. */
import type { TopicSettings } from '@busway/lua'
import type { MaxWaiting, TopicDefinition } from '../api/index.js'
import { durationMs } from '../validate/durations.js'

/** `undefined` if the definition says nothing. Numbers of messages are shared out among its partitions. */
export function settingsOf({ maxWaiting, retain, partitions = 1 }: TopicDefinition = {}): TopicSettings | undefined {
  if (maxWaiting === undefined && retain === undefined) return undefined
  return {
    ...(maxWaiting !== undefined && { maxWaiting: finite(Math.ceil(bound(maxWaiting).count / partitions)) }),
    ...(retain !== undefined && { retain: retention(retain, partitions) }),
  }
}

const finite = (count: number): number | '' => (count === Number.POSITIVE_INFINITY ? '' : count)

/** A number of messages, or an age. */
function retention(retain: NonNullable<TopicDefinition['retain']>, partitions: number): string {
  if (typeof retain === 'string') return `t${durationMs('retain', retain)}`
  const count = typeof retain === 'number' ? retain : retain.count
  return count === 0 ? '' : `n${Math.ceil(count / partitions)}`
}

/** Whether publishes wait where too many messages do. */
export const publishesWait = ({ maxWaiting }: TopicDefinition = {}): boolean =>
  maxWaiting !== undefined && bound(maxWaiting).policy === 'wait'

const bound = (maxWaiting: number | MaxWaiting): MaxWaiting =>
  typeof maxWaiting === 'number' ? { count: maxWaiting } : maxWaiting
