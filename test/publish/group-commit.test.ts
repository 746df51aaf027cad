import { getEventListeners } from 'node:events'
import { createBus, type Receipt } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
/** Session, request, batch and position, of which an address is made. */
const address = ({ id }: Receipt) => {
  const [, session, request, batch, index] = /^([\w-]{8})-(\d+)-(\d+)\.(\d+)$/.exec(id) ?? []
  return { session, request: Number(request), batch: Number(batch), index: Number(index) }
}

describe('group commit', () => {
  const w = world()

  it('stores what is published in one tick as one batch', async () => {
    const bus = w.bus()
    await bus.publish('orders.paid', 0)
    const receipts = (await Promise.all(numbers(100).map((n) => bus.publish('orders.paid', n)))).map(address)
    expect(new Set(receipts.map(({ request, batch }) => `${request}-${batch}`)).size).to.equal(1)
    expect(receipts.map(({ index }) => index)).to.deep.equal(numbers(100))
    expect(
      Buffer.from(
        (await w.redis.getBuffer(`${w.namespace}:{orders.paid}:b:${receipts[0]?.session}-2-0`)) as Buffer,
      ).readUInt16LE(2),
    ).to.equal(100)
  })

  it('cuts batches at 128 messages and at 256 kB, and a larger message is a batch of one', async () => {
    const bus = w.bus()
    const sizes = async (bodies: unknown[]) => {
      const receipts = (await Promise.all(bodies.map((body) => bus.publish('orders.paid', body)))).map(address)
      const counts = new Map<string, number>()
      for (const { request, batch } of receipts)
        counts.set(`${request}-${batch}`, (counts.get(`${request}-${batch}`) ?? 0) + 1)
      return [...counts.values()]
    }
    await bus.publish('orders.paid', 0)
    expect(await sizes(numbers(300))).to.deep.equal([128, 128, 44])
    expect(await sizes(numbers(5).map(() => 'x'.repeat(100_000)))).to.deep.equal([2, 2, 1])
    expect(await sizes(['a', 'x'.repeat(300_000), 'b'])).to.deep.equal([1, 1, 1])
  })

  it('sends a lone message at once, and what comes meanwhile together', async () => {
    const bus = w.bus()
    await bus.publish('orders.paid', 0)
    const first = bus.publish('orders.paid', 1)
    await new Promise((resolve) => process.nextTick(resolve))
    const rest = numbers(10).map((n) => bus.publish('orders.paid', n))
    const [lone, ...together] = (await Promise.all([first, ...rest])).map(address)
    expect(lone?.request).to.equal(2)
    expect(new Set(together.map(({ request }) => request))).to.deep.equal(new Set([3]))
  })

  it('keeps the order of calls, with options, keys and ids between them, but for keys, which are handled side by side', async () => {
    const bus = w.bus()
    const received = new Received<number>()
    await bus.consume('orders.paid', ({ body }) => received.add(body as number), { concurrency: 1 }).ready
    const options = [undefined, { key: 'a' }, { key: 'b' }, { id: 'own' }, { headers: { h: '1' } }, { type: 't' }]
    await Promise.all(
      numbers(300).map((n) => {
        const chosen = options[n % options.length]
        return bus.publish('orders.paid', n, chosen?.id === undefined ? chosen : { id: `own-${n}` })
      }),
    )
    const seen = await received.count(300)
    const keyOf = (n: number) => options[n % options.length]?.key
    for (const key of [undefined, 'a', 'b'])
      expect(seen.filter((n) => keyOf(n) === key)).to.deep.equal(numbers(300).filter((n) => keyOf(n) === key))
  })

  it('shares a batch among messages of the same key, and another among those of keys that no other has', async () => {
    const bus = w.bus()
    await bus.publish('orders.paid', 0)
    const keys = ['a', 'c', 'a', 'b', 'd', 'b', 'b', 'a']
    const receipts = (await Promise.all(keys.map((key) => bus.publish('orders.paid', key, { key })))).map(address)
    expect(receipts.map(({ batch, index }) => `${batch}.${index}`)).to.deep.equal([
      ...['0.0', '2.0', '0.1', '1.0'],
      ...['2.1', '1.1', '1.2', '0.2'],
    ])
    const received = new Received<[unknown, string | undefined]>()
    bus.consume('orders.paid', ({ body, key }) => received.add([body, key]), { concurrency: 1 })
    expect((await received.count(9)).slice(1)).to.have.deep.members(keys.map((key) => [key, key]))
  })

  it('publishes as fast as callers wait for it: many requests, none lost, in order', async () => {
    const bus = w.bus()
    const receipts = await Promise.all(numbers(5_000).map((n) => bus.publish('orders.paid', n)))
    expect(new Set(receipts.map(({ id }) => id)).size).to.equal(5_000)
    const order = receipts.map(address).map(({ request, batch, index }) => request * 1e9 + batch * 1e5 + index)
    expect(order).to.deep.equal([...order].sort((a, b) => a - b))
    expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(5_000)
  })

  it('of a publishBatch is one request, whatever it holds', async () => {
    const bus = w.bus()
    const receipts = await bus.publishBatch(
      'orders.paid',
      numbers(1_000).map((n) => ({ body: n, key: `${n}` })),
    )
    expect(new Set(receipts.map((receipt) => address(receipt).request)).size).to.equal(1)
  })

  it('gives callers who change what they published what they published', async () => {
    const bus = w.bus()
    const body = { n: 1 }
    const bytes = Buffer.from([1])
    const published = Promise.all([bus.publish('orders.paid', body), bus.publish('orders.paid', bytes)])
    body.n = 2
    bytes[0] = 2
    await published
    const received = new Received<unknown>()
    bus.consume('orders.paid', ({ body: arrived }) => received.add(arrived), { concurrency: 1 })
    const [object, binary] = await received.count(2)
    expect(object).to.deep.equal({ n: 1 })
    expect([...(binary as Uint8Array)]).to.deep.equal([1])
  })
})

describe('a publish with a signal', () => {
  const w = world()

  it('that is aborted is never sent', async () => {
    const bus = w.bus()
    const reason = new Error('changed my mind')
    expect(await bus.publish('orders.paid', 1, { signal: AbortSignal.abort(reason) }).catch((error) => error)).to.equal(
      reason,
    )
    const control = new AbortController()
    const publish = bus.publish('orders.paid', 1, { signal: control.signal }).catch((error) => error)
    control.abort(reason)
    expect(await publish).to.equal(reason)
    await bus.publish('orders.paid', 2)
    expect((await bus.topic('orders.paid').stats()).unclaimed).to.equal(1)
  })

  it('aborted while Redis is away gives up, and nothing is sent later', async () => {
    const bus = createBus({ service: 'test', redis: 'redis://127.0.0.1:1', logger: false })
    const control = new AbortController()
    const publish = bus.publish('orders.paid', 1, { signal: control.signal }).catch((error) => error)
    setTimeout(() => control.abort(), 50)
    expect(await publish).to.have.property('name', 'AbortError')
    expect((await bus.close({ timeout: 100 })).unanswered).to.equal(0)
  })

  it('that many publishes share takes one listener of it while they wait, and none afterwards', async () => {
    const bus = w.bus()
    const control = new AbortController()
    const { signal } = control
    const count = () => getEventListeners(signal, 'abort').length
    const published = Promise.all(numbers(30).map((n) => bus.publish(`orders.${n % 15}`, n, { signal })))
    const whileTheyWait = count()
    await published
    expect(whileTheyWait).to.equal(1)
    expect(count()).to.equal(0)
    const reason = new Error('enough')
    const more = numbers(30).map((n) => bus.publish(`orders.${n % 15}`, n, { signal }).catch((error) => error))
    control.abort(reason)
    expect(await Promise.all(more)).to.deep.equal(numbers(30).map(() => reason))
    expect(count()).to.equal(0)
  })

  it('aborted once it is sent is PUBLISH_UNKNOWN', async () => {
    const proxy = await w.proxy()
    const bus = w.bus({ redis: proxy.url })
    await bus.publish('orders.paid', 0)
    proxy.dropReplies()
    const control = new AbortController()
    const publish = bus.publish('orders.paid', 1, { signal: control.signal }).catch(({ code }) => code)
    await new Promise((resolve) => setImmediate(resolve))
    control.abort()
    expect(await publish).to.equal('PUBLISH_UNKNOWN')
  })
})
