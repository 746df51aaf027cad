import { createBus } from '@busway/bus'
import { expect } from 'chai'
import { world } from '../support/world.js'

describe('a Redis that cannot be reached', function () {
  this.timeout(20_000)
  const w = world()
  const nobody = 'redis://127.0.0.1:1'

  it('is told in one line within a second, with the address and how to start one', async () => {
    const bus = w.bus({ redis: nobody, publishTimeout: '2s' })
    const beganMs = performance.now()
    const publish = bus.publish('orders.paid', 1).catch(({ code }) => code)
    const line = await w.log.first(({ level }) => level >= 40)
    expect(performance.now() - beganMs).to.be.below(1_000)
    expect(line.msg).to.include('127.0.0.1:1').and.include('redis-server --port 1').and.include('ECONNREFUSED')
    expect(await publish).to.equal('REDIS_UNAVAILABLE')
    expect(w.log.items.filter(({ level }) => level >= 40)).to.have.length(1)
  })

  it('is told again when it is there again', async () => {
    const proxy = await w.proxy()
    const bus = w.bus({ redis: proxy.url })
    await bus.publish('orders.paid', 1)
    await proxy.down()
    await w.log.first(({ level }) => level === 50)
    await proxy.up()
    await bus.publish('orders.paid', 2)
    expect((await w.log.first(({ msg }) => /there again/.test(msg))).awayMs).to.be.a('number')
  })

  it('rejects ready with REDIS_UNAVAILABLE, which can be asked again', async () => {
    const proxy = await w.proxy()
    await proxy.down()
    const bus = w.bus({ redis: proxy.url, publishTimeout: 200 })
    expect(await bus.ready().catch(({ code }) => code)).to.equal('REDIS_UNAVAILABLE')
    await proxy.up()
    await new Promise<void>((resolve) => bus.on('connection', () => resolve()))
    await bus.ready()
  })

  it('does not keep a consumer from closing that has nothing to settle, whether it had started or not', async () => {
    const proxy = await w.proxy()
    const started = w.bus({ redis: proxy.url })
    await started.consume('orders.paid', () => {}).ready
    await proxy.down()
    const starting = w.bus({ redis: proxy.url })
    starting.consume('orders.paid', () => {})
    await w.log.first(({ level }) => level === 50)
    const beganMs = performance.now()
    await Promise.all([started.close(), starting.close()])
    expect(performance.now() - beganMs).to.be.below(8_000)
  })

  it('is no reason for a password in its address to appear anywhere', async () => {
    const bus = w.bus({ redis: 'redis://:hunter2@127.0.0.1:1', publishTimeout: 700 })
    const error = await bus.publish('orders.paid', 1).catch((failure: Error) => failure)
    expect(`${(error as Error).message} ${JSON.stringify(w.log.items)}`).to.not.include('hunter2')
  })

  it('under an address that is none is CONFIG_INVALID when the bus is made', () => {
    const cluster = { cluster: [] } as object
    for (const redis of ['localhost:6379', 'http://localhost', 'redis://localhost/nine', '', cluster]) {
      expect(() => createBus({ service: 'orders', redis }), JSON.stringify(redis))
        .to.throw()
        .with.property('code', 'CONFIG_INVALID')
    }
  })
})
