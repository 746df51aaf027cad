import type { BusPlugins, BusTopics, BusTypes, ConsumeContext, Message, TopicName } from '@busway/bus'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { AppBus } from './bus.js'
import { onFlight } from './delays.js'

// What the test kit will give: a message, and a context that records.
declare function testMessage<B extends BusTypes, K extends TopicName<BusTopics<B>>>(
  topic: K,
  body: BusTopics<B>[K],
): Message<BusTopics<B>, K>
declare function testContext<B extends BusTypes>(): ConsumeContext<BusTopics<B>, BusPlugins<B>> & {
  published: { topic: string; body: unknown }[]
}

describe('delays', () => {
  it('publishes an airport that is late', async () => {
    const ctx = testContext<AppBus>()
    const flight = { origin: 'OSL', delay: 60, at: new Date() }
    await onFlight(testMessage<AppBus, 'flights.departed'>('flights.departed', flight), ctx)
    // @ts-expect-error the body of another topic
    testMessage<AppBus, 'flights.departed'>('flights.departed', { from: 'OSL' })
    expect(ctx.published).to.have.length(1)
  })
})
