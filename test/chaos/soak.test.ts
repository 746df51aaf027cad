/**
 * Everything at once, for a while: publishers and consumers behind connections that are cut, swallow replies and hang for moments, scripts that are flushed,
 * buses that come and go. At the end each message has been settled exactly once, as its staged publish tells, and in Redis nothing is left.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import type { RedisProxy } from '../support/proxy.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const MESSAGES = 6000
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

type Fault =
  | 'cut'
  | 'cut at reply'
  | 'cut at request'
  | 'cut subscribers'
  | 'flush'
  | 'pause group'
  | 'replace consumer'
  | 'redrive'
const FAULTS: readonly Fault[] = [
  'cut',
  'cut at reply',
  'cut at request',
  'cut at reply',
  'cut subscribers',
  'flush',
  'pause group',
  'replace consumer',
  'redrive',
]

describe('everything at once', function () {
  this.timeout(120_000)
  const w = world()

  it('loses nothing and settles nothing twice', async () => {
    const seed = Number(process.env.BUSWAY_SOAK_SEED ?? Math.floor(Math.random() * 2 ** 31))
    const random = (from: number) => fc.sample(fc.nat(from - 1), { seed: seed + ++drawn, numRuns: 1 })[0] as number
    let drawn = 0
    const outputs = new Received<number>()
    const reader = w.bus()
    await reader.consume('invoices.wanted', ({ body }) => outputs.add(body as number), { concurrency: 100 }).ready

    const proxies: RedisProxy[] = []
    const through = async () => {
      const proxy = await w.proxy()
      proxies.push(proxy)
      return w.bus({ redis: proxy.url, publishTimeout: '60s' })
    }
    const startConsumer = async () => {
      const bus = await through()
      await bus.consume(
        'orders.paid',
        async ({ body, attempt }, context) => {
          const n = body as number
          await context.publish('invoices.wanted', n)
          if (n % 17 === 0 && attempt === 1) throw new Error('fails once')
          if (n % 101 === 0 && attempt < 3) throw new Error('fails twice')
        },
        {
          concurrency: 1 + random(30),
          lease: 3000,
          retry: { attempts: 3, delay: 20, jitter: 0.5 },
          deadLetters: { max: 100_000 },
        },
      ).ready
      return bus
    }
    const consumers = await Promise.all(numbers(3).map(startConsumer))
    const publishers = await Promise.all(numbers(2).map(through))
    const group = reader.topic('orders.paid').group('test')

    let over = false
    let hangs = Number(process.env.BUSWAY_SOAK_HANGS ?? 1)
    const trouble = (async () => {
      while (!over) {
        const seen = outputs.items.length
        const proxy = proxies[random(proxies.length)] as RedisProxy
        // Longer than a lease: what was in its hands is run by others, and what it settles when it is back is refused.
        if (hangs > 0 && seen > MESSAGES / 3) {
          hangs--
          proxies[random(3)]?.hangThese()
        }
        switch (FAULTS[random(FAULTS.length)] as Fault) {
          case 'cut':
            proxy.cut()
            break
          case 'cut at reply':
            void proxy.cutAtReply()
            break
          case 'cut at request':
            void proxy.cutAtRequest()
            break
          case 'cut subscribers':
            await w.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
            break
          case 'flush':
            await w.redis.script('FLUSH')
            break
          case 'pause group':
            await group.pause()
            await group.resume()
            break
          case 'redrive':
            await group.redrive('all')
            break
          case 'replace consumer': {
            const leaving = consumers.shift()
            consumers.push(await startConsumer())
            await leaving?.close()
          }
        }
        // The next when some more has been done, or at the end of it all.
        await Promise.race([
          outputs.until((items) => items.length >= Math.min(MESSAGES, seen + 40), 'progress', 60_000),
          outputs.until(() => over, 'the end', 100_000),
        ])
      }
    })()
    const receipts = Promise.all(
      publishers.map(async (bus, p) => {
        for (let from = 0; from < MESSAGES / 2; from += 50)
          await Promise.all(numbers(50, p * (MESSAGES / 2) + from).map((n) => bus.publish('orders.paid', n)))
      }),
    )
    try {
      await receipts
      await outputs.until((items) => new Set(items).size === MESSAGES, `all of them, with seed ${seed}`, 60_000)
    } finally {
      over = true
    }
    outputs.add(-1)
    await trouble
    await Promise.all([...publishers, ...consumers].map((bus) => bus.close()))
    await reader.close()
    const all = outputs.items.filter((n) => n >= 0).sort((a, b) => a - b)
    expect(all, `seed ${seed}`).to.deep.equal(numbers(MESSAGES))
    await namespaceIsClean(w.redis, w.namespace)
  })
})
