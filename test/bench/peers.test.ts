import { expect } from 'chai'
import { publishInFlight } from '../../bench/src/load.js'
import { loadPeer, PEER_NAMES } from '../../bench/src/peers/index.js'
import { takesPart } from '../../bench/src/scenario.js'
import { startServers, whoCanTakePart } from '../../bench/src/servers/index.js'
import { settled, Tally } from '../../bench/src/tally.js'
import { deadline } from '../support/deadline.js'
import { privateRedis } from '../support/private-redis.js'

const MESSAGES = 300

// Those whose server is not on this machine have nothing to run on.
const { peers: installed } = await whoCanTakePart(PEER_NAMES)

describe("the bench's peers", function () {
  this.timeout(20_000)
  const world = privateRedis()
  let servers: Awaited<ReturnType<typeof startServers>>

  before(async function () {
    this.timeout(60_000)
    servers = await startServers(installed)
  })
  after(() => servers.stop())

  // A yardstick that only publishes has nothing to hand over.
  for (const name of installed.filter((each) => each !== 'round-trip'))
    it(`${name} hands over every message once, and then has nothing left`, async () => {
      const peer = await loadPeer(name)
      const place = { redisUrl: world.server.url, queue: `${name}-1` }
      const tally = new Tally(MESSAGES)
      const consumer = await peer.openConsumer(place, { concurrency: 10, handler: async (body) => tally.add(body) })
      const producer = await peer.openProducer(place)
      await publishInFlight(producer, MESSAGES, 50)
      await consumer.start()
      await deadline(settled(tally, consumer), 15_000, () => `${name} to settle all`)
      await Promise.all([producer.close(), consumer.close()])
    })

  it('take no part in what they lack, unless as guests', () => {
    expect(takesPart('bullmq', { needs: ['queue', 'batch'] })).to.equal(true)
    expect(takesPart('groupmq', { needs: ['queue', 'batch'] })).to.equal(false)
    expect(takesPart('round-trip', { needs: ['queue'] })).to.equal(false)
    expect(takesPart('round-trip', { needs: ['queue'], guests: ['round-trip'] })).to.equal(true)
  })
})
