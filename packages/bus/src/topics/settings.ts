/** What of a topic's definition is kept in Redis, for everyone who publishes and consumes. */
import type { TopicSettings } from '@busway/lua'
import type { MaxWaiting, TopicDefinition } from '../api/index.js'
import { durationMs } from '../validate/durations.js'

/** `undefined` if the definition says nothing. */
export function settingsOf({ maxWaiting, retain }: TopicDefinition = {}): TopicSettings | undefined {
  if (maxWaiting === undefined && retain === undefined) return undefined
  return {
    ...(maxWaiting !== undefined && { maxWaiting: finite(bound(maxWaiting).count) }),
    ...(retain !== undefined && { retain: retention(retain) }),
  }
}

const finite = (count: number): number | '' => (count === Number.POSITIVE_INFINITY ? '' : count)

/** A number of messages, or an age. */
function retention(retain: NonNullable<TopicDefinition['retain']>): string {
  if (typeof retain === 'string') return `t${durationMs('retain', retain)}`
  const count = typeof retain === 'number' ? retain : retain.count
  return count === 0 ? '' : `n${count}`
}

/** Whether publishes wait where too many messages do. */
export const publishesWait = ({ maxWaiting }: TopicDefinition = {}): boolean =>
  maxWaiting !== undefined && bound(maxWaiting).policy === 'wait'

const bound = (maxWaiting: number | MaxWaiting): MaxWaiting =>
  typeof maxWaiting === 'number' ? { count: maxWaiting } : maxWaiting
