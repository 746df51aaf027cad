import type { Bus, BusTopics, BusTypes, Message, MessageOf, TopicName } from '@busway/bus'

let count = 0

/**
 * A message as a handler of the bus `B` gets it from `topic`: its first attempt, without key or headers, unless `overrides` say otherwise.
 *
 * @example
 * await onPaid(testMessage<AppBus, 'orders.paid'>('orders.paid', { id: '1' }, { attempt: 3 }), testContext<AppBus>())
 */
export function testMessage<B extends BusTypes = Bus, K extends TopicName<BusTopics<B>> = TopicName<BusTopics<B>>>(
  topic: K,
  body: BusTopics<B>[K],
  overrides: Partial<Omit<MessageOf<K, BusTopics<B>[K]>, 'topic' | 'body'>> = {},
): Message<BusTopics<B>, K> {
  const message: MessageOf<K, BusTopics<B>[K]> = {
    id: `test-${++count}`,
    type: topic,
    source: 'test',
    time: new Date(),
    headers: {},
    contentType: 'application/json',
    attempt: 1,
    redelivered: (overrides.attempt ?? 1) > 1,
    ...overrides,
    topic,
    body,
  }
  // `Message` is a union over K, of which this is one member; a checker that does not know K can't see it.
  return message as Message<BusTopics<B>, K>
}
