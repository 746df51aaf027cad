import { testContext, testMessage } from '@busway/testing'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { AppBus } from './bus.js'
import { onFlight } from './delays.js'

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
