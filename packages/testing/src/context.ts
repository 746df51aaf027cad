import type { Bus, BusPlugins, BusTopics, BusTypes, ConsumeContext, PublishOptions, TopicName } from '@busway/bus'
import { silentLogger } from './silent-logger.js'

/** What a handler published with `ctx.publish`; told apart by `topic`. */
export type TestPublish<B extends BusTypes = Bus> = {
  [K in TopicName<BusTopics<B>>]: {
    readonly topic: K
    readonly body: BusTopics<B>[K]
    /** Empty if the handler gave none. */
    readonly options: PublishOptions<BusTopics<B>, BusPlugins<B>>
  }
}[TopicName<BusTopics<B>>]

/** A handler's second argument that remembers what was done with it. */
export type TestContext<B extends BusTypes = Bus> = ConsumeContext<BusTopics<B>, BusPlugins<B>> & {
  /** In the order of the calls. On a real bus nothing of it is published if the handler throws. */
  readonly published: readonly TestPublish<B>[]
  /** What the handler gave to `ctx.progress`, in the order of the calls. On a real bus a newer value may take the place of an older one. */
  readonly progressed: readonly unknown[]
  /** Aborts `ctx.signal`, as a timeout, a lost lease or a forced close would. Default reason: an `AbortError`. */
  abort(reason?: unknown): void
}

/**
 * A context of the bus `B` for calling a handler without a bus: it records what is published and how far the handler said to be, its logger is silent, its signal can be aborted. What
 * plugins add is there if `overrides` give it. A `publish` among them is called before the call is recorded, so that it may refuse.
 *
 * @example
 * const ctx = testContext<AppBus>({ group: 'ledger', tenant: 'acme' })
 * await onPaid(testMessage<AppBus, 'orders.paid'>('orders.paid', { id: '1' }), ctx)
 * expect(ctx.published).to.deep.equal([{ topic: 'invoices.wanted', body: { order: '1' }, options: {} }])
 */
export function testContext<B extends BusTypes = Bus>(
  overrides: Partial<ConsumeContext<BusTopics<B>, BusPlugins<B>>> = {},
): TestContext<B> {
  const controller = new AbortController()
  const published: unknown[] = []
  const progressed: unknown[] = []
  // What they are to a function that does not know the topics and plugins of B.
  const given = overrides as Partial<ConsumeContext>
  const context = {
    group: 'test',
    log: silentLogger,
    ...given,
    signal: given.signal === undefined ? controller.signal : AbortSignal.any([given.signal, controller.signal]),
    publish: async (topic: string, body: unknown, options?: object): Promise<void> => {
      await given.publish?.(topic, body, options)
      published.push({ topic, body, options: options ?? {} })
    },
    progress: (value: unknown): void => {
      given.progress?.(value)
      progressed.push(value)
    },
    published,
    progressed,
    abort: (reason?: unknown) => controller.abort(reason),
  }
  return context as unknown as TestContext<B>
}
