import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type BuswayError, createBus } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'
import { bulk, standIn } from './stand-in.js'

const quiet = { service: 'orders', logger: false } as const

/** What `ready`, a publish and a subscription are told, which must be the same and come long before the publish times out. */
async function told({ redis }: { redis: string }): Promise<BuswayError> {
  const bus = createBus({ ...quiet, redis, publishTimeout: '20s' })
  const { ready: subscribed } = bus.consume('orders.paid', () => {})
  try {
    const [ready, published, consumed] = await Promise.all(
      [bus.ready(), bus.publish('orders.paid', 1), subscribed].map((promise) =>
        promise.then(
          () => undefined,
          (error: BuswayError) => error,
        ),
      ),
    )
    expect(ready, 'ready').to.be.an('error')
    expect(published?.code, 'the publish').to.equal(ready?.code)
    expect(consumed?.code, 'the subscription').to.equal(ready?.code)
    return ready as BuswayError
  } finally {
    await bus.close({ timeout: 100 })
  }
}

describe('a server that cannot be used is told at once, with what to do:', function () {
  this.timeout(20_000)

  it('one that is too old', async () => {
    const server = await standIn((command) =>
      command.startsWith('INFO') ? bulk('# Server\r\nredis_version:5.0.14\r\nrole:master\r\n') : '+OK\r\n',
    )
    const error = await told({ redis: server.url })
    expect(error.code).to.equal('REDIS_TOO_OLD')
    expect(error.message).to.include('5.0.14').and.include(`127.0.0.1:${server.port}`).and.include('6.2')
    await server.close()
  })

  it('one that answers garbage', async () => {
    const server = await standIn(() => 'what?\r\n')
    expect((await told({ redis: server.url })).code).to.equal('REDIS_FAILED')
    await server.close()
  })

  it('a web server', async () => {
    const server = createServer((_request, response) => response.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const error = await told({ redis: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` })
    expect(error.code).to.equal('REDIS_FAILED')
    expect(error.message).to.include('not Redis')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  describe('(of one with users)', () => {
    // Before it is looked at what is left there.
    after(() => w.redis.config('SET', 'requirepass', ''))
    const w = world({ args: ['--save', ''] })
    const withPassword = (password: string): string => w.server.url.replace('redis://', `redis://:${password}@`)
    // The password comes late, so that the test's own connection is in.
    before(() => w.redis.config('SET', 'requirepass', 'secret'))
    afterEach(() => w.redis.config('SET', 'maxmemory', 0, 'maxmemory-policy', 'noeviction'))

    it('one that needs a password', async () => {
      const error = await told({ redis: w.server.url })
      expect(error.code).to.equal('REDIS_REFUSED')
      expect(error.message).to.include('password').and.include(`${w.server.port}`)
    })

    it('one that needs another password, which no message shows', async () => {
      const error = await told({ redis: withPassword('wrong') })
      expect(error.code).to.equal('REDIS_REFUSED')
      expect(error.message).to.include('does not accept').and.not.include('wrong')
    })

    it('one that permits too little', async () => {
      await w.redis.acl('SETUSER', 'weak', 'on', '>pw', '~*', '&*', '+@all', '-evalsha', '-script')
      const error = await told({ redis: w.server.url.replace('redis://', 'redis://weak:pw@') })
      expect(error.code).to.equal('REDIS_REFUSED')
      expect(error.message).to.include('permit')
    })

    it('one that may evict messages', async () => {
      await w.redis.config('SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '1gb')
      const error = await told({ redis: withPassword('secret') })
      await w.redis.config('SET', 'maxmemory-policy', 'noeviction')
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.include('allkeys-lru').and.include('CONFIG SET maxmemory-policy noeviction')
    })

    it('and is used as soon as it can be', async () => {
      await w.redis.config('SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '1gb')
      const bus = w.bus({ redis: withPassword('secret') })
      const ups = new Received<string>()
      bus.on('connection', ({ state }) => ups.add(state))
      expect(await bus.publish('orders.paid', 1).catch(({ code }) => code)).to.equal('CONFIG_INVALID')
      await w.redis.config('SET', 'maxmemory-policy', 'noeviction')
      await ups.first((state) => state === 'up')
      expect((await bus.publish('orders.paid', 1)).status).to.equal('accepted')
    })

    it('with a policy that would evict if there were a limit, it works and warns', async () => {
      await w.redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
      const bus = w.bus({ redis: withPassword('secret') })
      await bus.publish('orders.paid', 1)
      await w.redis.config('SET', 'maxmemory-policy', 'noeviction')
      expect((await w.log.first(({ level }) => level === 40)).msg).to.include('allkeys-lru')
    })

    it('without permission for INFO and CONFIG it works and warns', async () => {
      await w.redis.acl('SETUSER', 'blind', 'on', '>pw', '~*', '&*', '+@all', '-info', '-config')
      const bus = w.bus({ redis: w.server.url.replace('redis://', 'redis://blind:pw@') })
      expect((await bus.publish('orders.paid', 1)).status).to.equal('accepted')
      expect((await w.log.first(({ level }) => level === 40)).msg).to.include('INFO')
    })
  })

  describe('(of one with a replica)', () => {
    const primary = world()
    const replica = world()

    it('a replica, which is read-only, if it stays one until the publish times out', async () => {
      await replica.redis.replicaof('127.0.0.1', primary.server.port)
      const bus = replica.bus({ publishTimeout: 500 })
      const ready = await bus.ready().catch((error: BuswayError) => error)
      const published = await bus.publish('orders.paid', 1).catch((error: BuswayError) => error)
      await replica.redis.replicaof('NO', 'ONE')
      expect(ready).to.include({ code: 'REDIS_REFUSED' })
      expect(published).to.include({ code: 'REDIS_REFUSED' })
      expect((ready as BuswayError).message).to.include(`127.0.0.1:${primary.server.port}`)
    })
  })
})
