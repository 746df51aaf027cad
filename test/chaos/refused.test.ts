import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean, type World, world } from '../support/world.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

/**
 * Publishes without pause, so that many requests are always in flight, while `refuse` makes Redis refuse them and lets it serve again. Nothing may be
 * lost, repeated or overtaken.
 */
async function publishThrough(w: World, refuse: () => Promise<void>): Promise<void> {
  const publisher = w.bus({ publishTimeout: '30s' })
  const consumer = w.bus()
  const received = new Received<number>()
  await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
  const receipts: Promise<unknown>[] = []
  let refusing = true
  const storm = refuse().finally(() => {
    refusing = false
  })
  let n = 0
  while (refusing || n % 10 !== 0) {
    receipts.push(publisher.publish('orders.paid', n++))
    // A turn of the loop each, so that requests leave one after the other and are in flight together.
    await new Promise((resolve) => setImmediate(resolve))
    if (receipts.length % 500 === 0) await Promise.race([storm, receipts.at(-1)])
  }
  await storm
  await Promise.all(receipts)
  expect(await received.count(n, 30_000)).to.deep.equal(numbers(n))
  await Promise.all([publisher.close(), consumer.close()])
  expect(received.items).to.have.length(n)
  await namespaceIsClean(w.redis, w.namespace)
}

describe('requests that Redis refuses, several of them in flight', function () {
  this.timeout(60_000)
  const w = world({ args: ['--lua-time-limit', '30'] })
  /** Lets `count` of the bus' commands be processed. */
  const served = async (count: number) => {
    const total = async () => Number(/total_commands_processed:(\d+)/.exec(await w.redis.info('stats'))?.[1])
    const from = await total()
    while ((await total()) - from < count);
  }

  it('NOSCRIPT (SCRIPT FLUSH under load): lose, repeat and overtake nothing', async () => {
    await publishThrough(w, async () => {
      for (const _ of numbers(15)) {
        await served(150)
        await w.redis.script('FLUSH')
      }
    })
  })

  it('BUSY: lose, repeat and overtake nothing', async () => {
    await publishThrough(w, async () => {
      const other = w.redis.duplicate()
      other.on('error', () => {})
      for (const _ of numbers(3)) {
        await served(150)
        const busy = other.eval('while true do end', 0).catch(() => {})
        // SCRIPT KILL is answered NOTBUSY until the script has run into its limit.
        for (const _ of numbers(20)) await w.redis.ping().catch(() => {})
        while (
          await w.redis.script('KILL').then(
            () => false,
            (error) => String(error).includes('NOTBUSY') && false,
          )
        );
        await busy
      }
      other.disconnect()
    })
  })

  it('READONLY: lose, repeat and overtake nothing', async () => {
    await publishThrough(w, async () => {
      for (const _ of numbers(3)) {
        await served(150)
        await w.redis.replicaof('127.0.0.1', 1)
        await served(100)
        await w.redis.replicaof('NO', 'ONE')
      }
    })
  })

  describe('OOM', () => {
    const limit = async (bytes: number) => {
      const used = Number(/used_memory:(\d+)/.exec(await w.redis.info('memory'))?.[1])
      await w.redis.config('SET', 'maxmemory', bytes === 0 ? 0 : used + bytes)
    }
    afterEach(() => limit(0))

    it('refuses publishes, and what was accepted is all there, in order, and can be settled', async () => {
      const bus = w.bus()
      const subscription = bus.consume('orders.paid', () => {})
      await subscription.ready
      await subscription.close()
      await limit(300_000)
      const outcomes: { n: number; code: string }[] = []
      // In waves: what waits in sockets takes memory as well.
      for (let from = 0; from < 3000; from += 50)
        outcomes.push(
          ...(await Promise.all(
            numbers(50, from).map((n) =>
              bus.publish('orders.paid', { n, fill: 'x'.repeat(500) }).then(
                () => ({ n, code: 'accepted' }),
                ({ code }) => ({ n, code }),
              ),
            ),
          )),
        )
      const accepted = outcomes.filter(({ code }) => code === 'accepted').map(({ n }) => n)
      expect(new Set(outcomes.map(({ code }) => code))).to.deep.equal(new Set(['accepted', 'REDIS_OUT_OF_MEMORY']))

      const received = new Received<number>()
      const consumer = w.bus()
      consumer.consume('orders.paid', ({ body }) => received.add((body as { n: number }).n), { concurrency: 1 })
      expect(await received.count(accepted.length)).to.deep.equal(accepted)
      // Settling freed the memory.
      await limit(1_000_000)
      await bus.publish('orders.paid', { n: -1 })
      await received.first((n) => n === -1)
      await consumer.close()
      await bus.close()
      expect(received.items).to.have.length(accepted.length + 1)
      await namespaceIsClean(w.redis, w.namespace)
    })

    it('keeps a settle that publishes leased, and it happens once there is memory', async () => {
      const bus = w.bus()
      const outputs = new Received<unknown>()
      const ran = new Received<number>()
      await w.bus().consume('invoices.wanted', ({ body }) => outputs.add(body)).ready
      await bus.consume('orders.paid', async ({ attempt }, context) => {
        await limit(-1)
        await context.publish('invoices.wanted', 'x'.repeat(1000))
        ran.add(attempt)
      }).ready
      await bus.publish('orders.paid', 1)
      await ran.count(1)
      expect((await bus.topic('orders.paid').group('test').stats()).inFlight).to.equal(1)
      await limit(0)
      await outputs.count(1)
      await bus.close()
      expect(ran.items).to.deep.equal([1])
      expect(outputs.items).to.have.length(1)
    })
  })
})

describe('a server that is loading its data', function () {
  this.timeout(60_000)
  const w = world({ keepData: true, args: ['--key-load-delay', '150'] })

  it('loses, repeats and overtakes nothing', async () => {
    await w.redis.eval("for i = 1, 8000 do redis.call('SET', 'filler:' .. i, i) end", 0)
    await publishThrough(w, async () => {
      await w.redis.ping()
      const refused = new Received<string>()
      const asking = w.redis.duplicate()
      asking.on('error', () => {})
      const restarted = w.server.restart()
      let over = false
      const ask = (async () => {
        while (!over)
          await asking.get('filler:1').then(
            () => {},
            (error) => refused.add(String(error)),
          )
      })()
      await restarted
      over = true
      await ask
      asking.disconnect()
    })
  })
})
