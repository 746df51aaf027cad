import { type BuswayError, createBus } from '@busway/bus'
import { expect } from 'chai'
import { world } from '../support/world.js'

describe('a script that fails in Redis', () => {
  const w = world()

  it('says once why, and carries nothing of what was published', async () => {
    const namespace = `${w.namespace}x`
    await w.redis.set(`${namespace}:{orders.paid}:meta`, 'foreign')
    const bus = createBus({ service: 'orders', redis: w.server.url, namespace, logger: false })
    const error = (await bus.publish('orders.paid', 'a secret').catch((failure) => failure)) as BuswayError
    expect(error.code).to.equal('REDIS_FAILED')
    const { message, cause } = error.cause as Error
    expect(error.message).to.include('WRONGTYPE').and.include('namespace')
    expect(message).to.include('WRONGTYPE')
    expect(cause).to.equal(undefined)
    expect(JSON.stringify([error, error.cause])).to.not.include('secret')
    await bus.close()
    await w.redis.del(`${namespace}:{orders.paid}:meta`)
  })
})
