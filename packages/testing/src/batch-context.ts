import type {
  BatchContext,
  Bus,
  BusPlugins,
  BusTopics,
  BusTypes,
  ConsumeContext,
  Message,
  TopicName,
} from '@busway/bus'
import { type TestContext, type TestPublish, testContext } from './context.js'

/** A batch handler's second argument that remembers what was done with it. */
export type TestBatchContext<B extends BusTypes = Bus> = Omit<BatchContext<BusTopics<B>, BusPlugins<B>>, 'of'> & {
  /** The context of one message: always the same for the same. */
  of<K extends TopicName<BusTopics<B>>>(message: Message<BusTopics<B>, K>): TestContext<B>
  /** What was published for the whole batch, in the order of the calls. */
  readonly published: readonly TestPublish<B>[]
  /** Aborts `ctx.signal`, and those of the messages with it. Default reason: an `AbortError`. */
  abort(reason?: unknown): void
}

/**
 * A context of the bus `B` for calling a batch handler without a bus. `overrides` are of the batch's own context; `each` gives those of the context of
 * a message, what plugins add for example.
 *
 * @example
 * const messages = [testMessage<AppBus, 'orders.paid'>('orders.paid', { id: '1' })]
 * const ctx = testBatchContext<AppBus>()
 * await onPaid(messages, ctx)
 * expect(ctx.of(messages[0]).published).to.have.length(1)
 */
export function testBatchContext<B extends BusTypes = Bus>(
  overrides: Partial<Omit<BatchContext<BusTopics<B>, BusPlugins<B>>, 'of'>> = {},
  each: (message: Message<BusTopics<B>>) => Partial<ConsumeContext<BusTopics<B>, BusPlugins<B>>> = () => ({}),
): TestBatchContext<B> {
  const contexts = new Map<unknown, TestContext<B>>()
  const own = testContext<B>(overrides as Partial<ConsumeContext<BusTopics<B>, BusPlugins<B>>>)
  const of = (message: Message<BusTopics<B>>): TestContext<B> => {
    const context = contexts.get(message) ?? testContext<B>({ group: own.group, signal: own.signal, ...each(message) })
    contexts.set(message, context)
    return context
  }
  return { ...own, of } as unknown as TestBatchContext<B>
}
