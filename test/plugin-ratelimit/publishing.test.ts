import { createBus } from '@busway/bus'
import { type PublishRate, ratelimit } from '@busway/plugin-ratelimit'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const TOPIC = 'mails.wanted'
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const failure = async (
  promise: Promise<unknown>,
): Promise<Error & { code?: string; details: Record<string, unknown> }> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )

describe('a publish with a rate', function () {
  this.timeout(20_000)
  const w = world()
  const limiting = () => {
    const { server, namespace, log } = w
    const bus = createBus({ service: 'test', redis: server.url, namespace, logger: log.logger, plugins: [ratelimit()] })
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  const redisMs = async () => {
    const [seconds, micros] = await w.redis.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }

  it('is rejected beyond it, and says when there is room', async () => {
    const bus = limiting()
    const rate: PublishRate = { limit: 5, per: '1s', burst: 2 }
    for (const n of numbers(2)) await bus.publish(TOPIC, n, { rate })
    const error = await failure(bus.publish(TOPIC, 2, { rate }))
    expect(error).to.include({ code: 'PUBLISH_REJECTED' })
    expect(error.details).to.include({ guard: 'ratelimit/publish', reason: 'rate' })
    expect(error.details.retryMs).to.be.within(1, 200)
    await new Promise((resolve) => setTimeout(resolve, Number(error.details.retryMs) + 1))
    expect((await bus.publish(TOPIC, 2, { rate })).status).to.equal('accepted')
    expect((await bus.topic(TOPIC).stats()).unclaimed).to.equal(3)
  })

  it('counts what was accepted alone, over all publishers, and each key by itself', async () => {
    const buses = [limiting(), limiting(), limiting()]
    const rate = (key: string): PublishRate => ({ limit: 10, per: '1h', burst: 10, key })
    const results = await Promise.allSettled(
      numbers(90).map((n) => (buses[n % 3] as (typeof buses)[0]).publish(TOPIC, n, { rate: rate(n % 2 ? 'a' : 'b') })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(20)
    expect((await buses[0]?.topic(TOPIC).stats())?.unclaimed).to.equal(20)
  })

  it('of a batch is all or none, and one that never fits is refused at once', async () => {
    const bus = limiting()
    const rate: PublishRate = { limit: 3, per: '1h', burst: 3 }
    const batch = (count: number) =>
      bus.publishBatch(
        TOPIC,
        numbers(count).map((body) => ({ body, rate })),
      )
    expect(await failure(batch(4))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await batch(2)).to.have.length(2)
    expect(await failure(batch(2))).to.include({ code: 'PUBLISH_REJECTED' })
    expect(await batch(1)).to.have.length(1)
  })

  it('waits for its turn, if so asked, over all publishers', async () => {
    const buses = [limiting(), limiting()]
    const rate: PublishRate = { limit: 100, per: '1s', burst: 5, mode: 'wait' }
    const times: number[] = []
    const startMs = await redisMs()
    await Promise.all(
      numbers(40).map(async (n) => {
        await (buses[n % 2] as (typeof buses)[0]).publish(TOPIC, n, { rate })
        times.push((await redisMs()) - startMs)
      }),
    )
    times.sort((a, b) => a - b)
    // The n-th is never there before its time.
    for (const [n, atMs] of times.entries()) expect(atMs, `of ${n}`).to.be.at.least(Math.max(0, (n - 4) * 10 - 2))
    expect((await buses[0]?.topic(TOPIC).stats())?.unclaimed).to.equal(40)
  })

  it('does not wait longer than it may, nor after it was aborted; what did not wait takes nothing', async () => {
    const bus = limiting()
    const rate: PublishRate = { limit: 1, per: '1h', burst: 1, mode: 'wait', maxWait: 50 }
    await bus.publish(TOPIC, 1, { rate })
    const error = await failure(bus.publish(TOPIC, 2, { rate }))
    expect(error).to.include({ code: 'PUBLISH_REJECTED' })
    expect(error.details.retryMs).to.be.within(3_500_000, 3_600_000)
    const controller = new AbortController()
    const other: PublishRate = { limit: 1, per: '10s', burst: 1, key: 'x', mode: 'wait', maxWait: '1m' }
    await bus.publish(TOPIC, 3, { rate: other })
    const waiting = failure(bus.publish(TOPIC, 4, { rate: other, signal: controller.signal }))
    const key = `${w.namespace}:{${TOPIC}}:x:ratelimit:publish:x`
    await eventually(w, 'it to have its place', async () => ((await w.redis.pttl(key)) > 10_000 ? true : undefined))
    controller.abort()
    expect(await waiting).to.include({ name: 'AbortError' })
    expect((await bus.topic(TOPIC).stats()).unclaimed).to.equal(2)
  })

  it('cannot be refused in a settle, and is counted there', async () => {
    const bus = limiting()
    const rate: PublishRate = { limit: 2, per: '1h', burst: 2 }
    const received = new Received<unknown>()
    await bus.consume('orders.paid', (_, context) => context.publish(TOPIC, 1, { rate })).ready
    await bus.consume(TOPIC, ({ body }) => received.add(body)).ready
    await bus.publishBatch(
      'orders.paid',
      numbers(4).map((body) => ({ body })),
    )
    await received.count(4)
    expect(await failure(bus.publish(TOPIC, 2, { rate }))).to.include({ code: 'PUBLISH_REJECTED' })
  })

  it('refuses options that it does not know, before anything is written', async () => {
    const bus = limiting()
    for (const more of [{ mode: 'drop' }, { key: '' }, { maxWait: 'long' }, { limit: 'x' }, { tenant: 'a' }])
      expect(await failure(bus.publish(TOPIC, 1, { rate: { limit: 1, per: '1s', ...more } as never }))).to.include({
        code: 'INVALID_OPTIONS',
      })
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
  })
})
