/** What an outage must not do, whatever its length. */
import { expect } from 'chai'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, type World } from '../support/world.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

/**
 * A publisher, a consumer with a message in hand and an idle consumer lose Redis for `downMs`. Then everything goes on by itself, and what was in hand
 * settles once.
 */
export async function surviveOutage(w: World, downMs: number): Promise<void> {
  const proxy = await w.proxy()
  const publisher = w.bus({ redis: proxy.url, publishTimeout: '5m' })
  const consumer = w.bus({ redis: proxy.url })
  const gate = new Gate()
  const holding = new Received<number>()
  const received = new Received<number>()
  await consumer.consume('orders.held', async ({ attempt }) => {
    holding.add(attempt)
    await gate.opened
  }).ready
  await consumer.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
  await publisher.publish('orders.held', 1)
  await publisher.publish('orders.paid', 0)
  await Promise.all([holding.count(1), received.count(1)])

  await proxy.down()
  const during = numbers(50, 1).map((n) => publisher.publish('orders.paid', n))
  await new Promise((resolve) => setTimeout(resolve, downMs))
  await proxy.up()
  await Promise.all(during)
  expect(await received.count(51)).to.deep.equal(numbers(51))

  // The consumer that was idle is not deaf now: what comes later comes at once.
  for (const n of numbers(20, 51)) {
    await publisher.publish('orders.paid', n)
    await received.count(n + 1, 3000)
  }
  gate.open()
  await consumer.close()
  expect(holding.items).to.deep.equal([1])
  await publisher.close()
  await namespaceIsClean(w.redis, w.namespace)
}
