import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'
import { surviveOutage } from './outage.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

describe('an outage', function () {
  this.timeout(120_000)
  const w = world()

  it('of two seconds stops nothing for longer than it lasts', () => surviveOutage(w, 2000))

  it('of the subscribed connection alone (CLIENT KILL TYPE pubsub) leaves no consumer deaf', async () => {
    const publisher = w.bus()
    const consumer = w.bus()
    const received = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { lease: '5m' }).ready
    // Until it hits: a message may come before the consumer has subscribed again, since whoever reconnects also asks.
    const killTheSubscriber = async () => {
      while (Number(await w.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')) === 0);
    }
    for (const n of numbers(5)) {
      await killTheSubscriber()
      await publisher.publish('orders.paid', n)
      await received.count(n + 1, 5000)
    }
    await Promise.all([publisher.close(), consumer.close()])
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('of the commands connection alone leaves no consumer deaf', async () => {
    const publisher = w.bus()
    const proxy = await w.proxy()
    const consumer = w.bus({ redis: proxy.url })
    const received = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { lease: '5m' }).ready
    for (const n of numbers(5)) {
      proxy.cut('commands')
      await publisher.publish('orders.paid', n)
      await received.count(n + 1, 5000)
    }
  })

  for (const which of ['all', 'commands'] as const) {
    it(`that nobody is told of (${which} sockets hang and never close) ends by itself`, async () => {
      const publisher = w.bus()
      const proxy = await w.proxy()
      const consumer = w.bus({ redis: proxy.url })
      const received = new Received<number>()
      await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { lease: 3000 }).ready
      await publisher.publish('orders.paid', 0)
      await received.count(1)
      proxy.hangThese(which)
      await publisher.publish('orders.paid', 1)
      await received.count(2, 30_000)
      await publisher.publish('orders.paid', 2)
      await received.count(3, 3000)
    })
  }

  it('of the subscribed socket, which hangs and never closes, costs at most a renew interval', async () => {
    const publisher = w.bus()
    const proxy = await w.proxy()
    const consumer = w.bus({ redis: proxy.url })
    const received = new Received<number>()
    await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { lease: 3000 }).ready
    proxy.hangThese('subscribers')
    for (const n of numbers(3)) {
      await publisher.publish('orders.paid', n)
      await received.count(n + 1, 1000 + 1500)
    }
  })

  it('while a connection is being prepared is one more try, and no rejection that nobody handles', async () => {
    const proxy = await w.proxy()
    const rejections = new Received<unknown>()
    // Mocha's own would fail the test too, but without saying of what.
    const others = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[]
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', rejections.add)
    w.atEnd(() => {
      process.removeAllListeners('unhandledRejection')
      for (const listener of others) process.on('unhandledRejection', listener)
    })
    const cut = proxy.cutAtRequest((request) => /\r\ntime\r\n/i.test(request.toString('latin1')))
    const publisher = w.bus({ redis: proxy.url })
    const published = publisher.publish('orders.paid', 0)
    await cut
    expect((await published).status).to.equal('accepted')
    expect(rejections.items).to.deep.equal([])
  })

  it('during a publish that hangs: it is sent again over a new connection, once', async () => {
    const proxy = await w.proxy()
    const publisher = w.bus({ redis: proxy.url, publishTimeout: '60s' })
    await publisher.publish('orders.paid', 0)
    proxy.hangThese('commands')
    const receipts = await Promise.all(numbers(20, 1).map((n) => publisher.publish('orders.paid', n)))
    expect(receipts.every(({ status }) => status === 'accepted')).to.equal(true)
    expect((await w.bus().topic('orders.paid').stats()).unclaimed).to.equal(21)
  })

  it('longer than publishTimeout rejects with what is known', async () => {
    const proxy = await w.proxy()
    const publisher = w.bus({ redis: proxy.url, publishTimeout: 400 })
    const states = new Received<string>()
    publisher.on('connection', ({ state }) => states.add(state))
    await publisher.publish('orders.paid', 0)
    const code = ({ code }: { code?: string }) => code
    await proxy.down()
    await states.first((state) => state === 'down')
    const unsent = await publisher.publish('orders.paid', 1).then(() => 'published', code)
    expect(unsent).to.equal('REDIS_UNAVAILABLE')
    await proxy.up()
    await states.until((seen) => seen.at(-1) === 'up', 'the connection to be back')
    await publisher.publish('orders.paid', 2)
    proxy.dropReplies()
    const unknown = await publisher.publish('orders.paid', 3).then(() => 'published', code)
    expect(unknown).to.equal('PUBLISH_UNKNOWN')
    proxy.heal()
    await states.until((seen) => seen.filter((state) => state === 'up').length === 3, 'the connection to be back again')
    // A new producer session: what was unknown is not sent again, and nothing waits for it.
    await publisher.publish('orders.paid', 4)
    const received = new Received<number>()
    w.bus().consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 })
    await received.until((items) => items.includes(4), 'the last')
    expect(received.items.filter((n) => n !== 3)).to.deep.equal([0, 2, 4])
    expect(received.items.filter((n) => n === 3)).to.have.length.at.most(1)
  })
})
