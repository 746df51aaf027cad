/** What of a topic's definition is kept in Redis, for everyone who publishes and consumes. */
import type { TopicSettings } from '@busway/lua'
import type { MaxWaiting, TopicDefinition } from '../api/index.js'

/** `undefined` if the definition says nothing. */
export function settingsOf({ maxWaiting }: TopicDefinition = {}): TopicSettings | undefined {
  if (maxWaiting === undefined) return undefined
  const { count } = bound(maxWaiting)
  return { maxWaiting: count === Number.POSITIVE_INFINITY ? '' : count }
}

/** Whether publishes wait where too many messages do. */
export const publishesWait = ({ maxWaiting }: TopicDefinition = {}): boolean =>
  maxWaiting !== undefined && bound(maxWaiting).policy === 'wait'

const bound = (maxWaiting: number | MaxWaiting): MaxWaiting =>
  typeof maxWaiting === 'number' ? { count: maxWaiting } : maxWaiting
