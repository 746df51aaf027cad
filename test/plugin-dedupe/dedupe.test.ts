import { createBus } from '@busway/bus'
import { type DedupeDefaults, dedupe } from '@busway/plugin-dedupe'
import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const TOPIC = 'orders.paid'
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )

describe('the dedupe plugin', () => {
  const w = world()
  const deduping = (options: DedupeDefaults = {}) => {
    const plugins = [dedupe(options)] as const
    const { server, namespace, log } = w
    const bus = createBus({ service: 'shop', redis: server.url, namespace, logger: log.logger, plugins })
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  const keys = async () =>
    (await w.redis.keys(`${w.namespace}:{${TOPIC}}:x:dedupe:key:*`)).map((key) => key.split('key:')[1])
  const expiry = (key: string) => w.redis.pexpire(`${w.namespace}:{${TOPIC}}:x:dedupe:key:${key}`, 0)
  /** A group that exists and takes nothing, until it is resumed. */
  const paused = async () => {
    const bus = w.bus()
    const subscription = bus.consume(TOPIC, () => {})
    await subscription.ready
    await subscription.close()
    await bus.topic(TOPIC).group('test').pause()
  }
  const handled = async (count: number) => {
    const bus = w.bus()
    const received = new Received<unknown>()
    const subscription = bus.consume(TOPIC, ({ body }) => received.add(body), { concurrency: 1 })
    await subscription.ready
    await bus.topic(TOPIC).group('test').resume()
    await received.count(count)
    await subscription.close()
    return received.items
  }

  describe('drops, for a window,', () => {
    it('what has a key that was published before, and says of which it is one', async () => {
      const bus = deduping()
      const first = await bus.publish(TOPIC, 1, { dedupe: { key: 'a', window: '1h' } })
      const again = await bus.publish(TOPIC, 2, { dedupe: { key: 'a', window: '1h' } })
      const other = await bus.publish(TOPIC, 3, { dedupe: { key: 'b', window: '1h' } })
      expect(again).to.include({ status: 'duplicate', duplicateOf: first.id })
      expect(other.status).to.equal('accepted')
      expect(await handled(2)).to.deep.equal([1, 3])
      // It is remembered when it has been handled as well.
      expect((await bus.publish(TOPIC, 4, { dedupe: { key: 'a', window: '1h' } })).status).to.equal('duplicate')
      await expiry('a')
      expect((await bus.publish(TOPIC, 5, { dedupe: { key: 'a', window: '1h' } })).status).to.equal('accepted')
    })

    it('by the message’s own id, else by its body', async () => {
      const bus = deduping({ window: '1h' })
      const statuses = []
      for (const [body, options] of [
        [{ n: 1 }, {}],
        [{ n: 1 }, {}],
        [{ n: 2 }, {}],
        [{ n: 3 }, { id: 'mine' }],
        [new Uint8Array([1, 2]), {}],
        [new Uint8Array([1, 2]), {}],
      ] as const)
        statuses.push((await bus.publish(TOPIC, body, { dedupe: true, ...options })).status)
      expect(statuses).to.deep.equal(['accepted', 'duplicate', 'accepted', 'accepted', 'accepted', 'duplicate'])
      await handled(4)
      // Its own id would be free again.
      expect((await bus.publish(TOPIC, 7, { id: 'mine', dedupe: true })).status).to.equal('duplicate')
    })

    it('one in a batch with another of it, and among many publishers at once all but one', async () => {
      const buses = numbers(4).map(() => deduping())
      const [bus] = buses as [(typeof buses)[0]]
      const receipts = await bus.publishBatch(
        TOPIC,
        ['a', 'b', 'a', 'c', 'b'].map((key) => ({ body: key, dedupe: { key } })),
      )
      expect(receipts.map(({ status }) => status)).to.deep.equal([
        'accepted',
        'accepted',
        'duplicate',
        'accepted',
        'duplicate',
      ])
      const raced = await Promise.all(
        numbers(200).map((n) => (buses[n % 4] as (typeof buses)[0]).publish(TOPIC, n, { dedupe: { key: 'raced' } })),
      )
      expect(raced.filter(({ status }) => status === 'accepted')).to.have.length(1)
      const winner = raced.find(({ status }) => status === 'accepted')?.id
      for (const receipt of raced) if (receipt.status === 'duplicate') expect(receipt.duplicateOf).to.equal(winner)
    })

    it('nothing of a message that was not accepted', async () => {
      const { server, namespace } = w
      const { defineTopics, type } = await import('@busway/bus')
      const topics = defineTopics({ [TOPIC]: { body: type<number>(), maxWaiting: 1 } })
      const bus = createBus({
        service: 'shop',
        redis: server.url,
        namespace,
        logger: false,
        plugins: [dedupe()],
        topics,
      })
      w.atEnd(() => bus.close())
      await bus.publish(TOPIC, 1)
      expect(await failure(bus.publish(TOPIC, 2, { dedupe: { key: 'a' } }))).to.include({ code: 'PUBLISH_REJECTED' })
      expect(await keys()).to.deep.equal([])
      await handled(1)
      expect((await bus.publish(TOPIC, 3, { dedupe: { key: 'a' } })).status).to.equal('accepted')
    })
  })

  describe('drops, until it is settled,', () => {
    const option = { key: 'a', mode: 'until-settled' } as const
    for (const [how, end] of [
      ['handled', async () => void (await handled(1))],
      ['cancelled', async (id) => void (await w.bus().topic(TOPIC).cancel(id))],
      ['purged', async () => void (await w.bus().topic(TOPIC).group('test').purge())],
      ['removed with its group', async () => w.bus().topic(TOPIC).group('test').remove()],
      ['deleted with its topic', async () => w.bus().topic(TOPIC).delete({ force: true })],
    ] as [string, (id: string) => Promise<void>][]) {
      it(`what has the key of one that waits, until that is ${how} by a process without the plugin`, async () => {
        await paused()
        const bus = deduping()
        const first = await bus.publish(TOPIC, 1, { dedupe: option })
        const again = await bus.publish(TOPIC, 2, { dedupe: option })
        expect(again).to.include({ status: 'duplicate', duplicateOf: first.id })
        await end(first.id)
        expect(await keys()).to.deep.equal([])
        expect((await bus.publish(TOPIC, 3, { dedupe: option })).status).to.equal('accepted')
        await bus.topic(TOPIC).delete({ force: true })
      })
    }

    it('what has the key of one that is tried again or runs, until it is a dead letter', async () => {
      const bus = deduping()
      const [gate, started] = [new Gate(), new Received<number>()]
      const handler = async ({ attempt }: { attempt: number }) => {
        started.add(attempt)
        if (attempt === 2) await gate.opened
        throw new Error('no')
      }
      await bus.consume(TOPIC, handler, { retry: { attempts: 2, delay: 5, jitter: 0 } }).ready
      await bus.publish(TOPIC, 1, { dedupe: option })
      await started.count(2)
      expect((await bus.publish(TOPIC, 2, { dedupe: option })).status).to.equal('duplicate')
      gate.open()
      await eventually(w, 'the key to go', async () => ((await keys()).length === 0 ? true : undefined))
      await bus.topic(TOPIC).group('shop').purge({ state: 'dead' })
    })

    it('of several groups, until all have settled it', async () => {
      const bus = deduping()
      const gate = new Gate()
      const done = new Received<string>()
      await bus.consume(TOPIC, () => done.add('fast'), { group: 'fast' }).ready
      await bus.consume(TOPIC, () => gate.opened.then(() => done.add('slow')), { group: 'slow' }).ready
      await bus.publish(TOPIC, 1, { dedupe: option })
      await done.count(1)
      expect((await bus.publish(TOPIC, 2, { dedupe: option })).status).to.equal('duplicate')
      gate.open()
      await eventually(w, 'the key to go', async () => ((await keys()).length === 0 ? true : undefined))
    })
  })

  it('debounces: of a burst the last is handled, once, its time begun anew', async () => {
    const bus = deduping({ mode: 'debounce', window: 300 })
    const received = new Received<{ body: unknown; atMs: number }>()
    await w.bus().consume(TOPIC, ({ body }) => received.add({ body, atMs: Date.now() })).ready
    let lastMs = 0
    for (const n of numbers(5)) {
      lastMs = Date.now()
      await bus.publish(TOPIC, n, { dedupe: { key: 'a' } })
    }
    await bus.publish(TOPIC, 'other', { dedupe: { key: 'b', window: 1 } })
    const [other, last] = await received.count(2)
    expect(other?.body).to.equal('other')
    expect(last?.body).to.equal(4)
    expect(last?.atMs).to.be.at.least(lastMs + 299)
    await bus.close()
    await eventually(w, 'its key to go', async () => ((await keys()).length === 0 ? true : undefined))
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('keeps the latest: one runs, and the newest waits', async () => {
    const bus = deduping({ mode: 'keep-latest' })
    const [gate, received] = [new Gate(), new Received<unknown>()]
    await w.bus().consume(
      TOPIC,
      async ({ body }) => {
        received.add(body)
        await gate.opened
      },
      { concurrency: 1 },
    ).ready
    await bus.publish(TOPIC, 0, { dedupe: { key: 'a' } })
    await received.count(1)
    for (const n of numbers(5)) await bus.publish(TOPIC, n + 1, { dedupe: { key: 'a' } })
    expect((await bus.topic(TOPIC).stats()).groups.test).to.include({ ready: 1, inFlight: 1 })
    gate.open()
    expect(await received.count(2)).to.deep.equal([0, 5])
    await eventually(w, 'its key to go', async () => ((await keys()).length === 0 ? true : undefined))
  })

  it('decides for what handlers publish as well, with their settle', async () => {
    const bus = deduping()
    const received = new Received<unknown>()
    await bus.consume('orders.placed', (_, context) => context.publish(TOPIC, 'paid', { dedupe: { key: 'once' } }))
      .ready
    await bus.consume(TOPIC, ({ body }) => received.add(body)).ready
    await bus.publishBatch(
      'orders.placed',
      numbers(5).map((body) => ({ body })),
    )
    await bus.publish(TOPIC, 'last')
    await received.first((body) => body === 'last')
    await eventually(w, 'all to be relayed', async () => {
      const { outbox, groups } = await bus.topic('orders.placed').stats()
      return outbox + (groups.shop?.ready ?? 0) + (groups.shop?.inFlight ?? 0) === 0 ? true : undefined
    })
    await bus.publish(TOPIC, 'very last')
    await received.first((body) => body === 'very last')
    expect(received.items.filter((body) => body === 'paid')).to.have.length(1)
  })

  it('loses nothing and lets nothing twice through its windows, however publishers’ connections break', async () => {
    const proxy = await w.proxy()
    const { namespace } = w
    const bus = createBus({
      service: 'shop',
      redis: proxy.url,
      namespace,
      logger: false,
      plugins: [dedupe({ window: '1h' })],
    })
    w.atEnd(() => bus.close())
    const received = new Received<number>()
    await w.bus().consume(TOPIC, ({ body }) => received.add(body as number), { concurrency: 1 }).ready
    const publishes: Promise<unknown>[] = []
    for (const n of numbers(600)) {
      publishes.push(bus.publish(TOPIC, n % 100, { dedupe: { key: String(n % 100) } }))
      if (n % 150 === 75) await proxy.cutAtReply()
    }
    await Promise.all(publishes)
    await received.count(100)
    expect([...received.items].sort((a, b) => a - b)).to.deep.equal(numbers(100))
  })

  describe('has an inbox, which', () => {
    it('acknowledges without a run what the group has done, whoever publishes it again', async () => {
      const consumer = deduping()
      const producer = w.bus()
      const ran = new Received<unknown>()
      await consumer.consume(TOPIC, ({ body }) => ran.add(body), { inbox: { window: '1h' } }).ready
      const done = async (id: string) =>
        eventually(w, 'its end', async () => ((await producer.topic(TOPIC).message(id)) === null ? true : undefined))
      for (const body of ['first', 'again', 'once more']) {
        await producer.publish(TOPIC, body, { id: 'order-1' })
        await done('order-1')
      }
      await producer.publish(TOPIC, 'other', { id: 'order-2' })
      expect(await ran.count(2)).to.deep.equal(['first', 'other'])
    })

    it('remembers nothing of what failed, nor for other groups, and forgets in time', async () => {
      const bus = deduping()
      const ran = new Received<string>()
      let fails = true
      const handler = (group: string) => () => {
        ran.add(group)
        if (group === 'a' && fails) throw new Error('no')
      }
      const inbox = { window: '1h' } as const
      await bus.consume(TOPIC, handler('a'), { group: 'a', inbox, retry: { attempts: 2, delay: '1h' } }).ready
      await bus.consume(TOPIC, handler('b'), { group: 'b', inbox }).ready
      await bus.publish(TOPIC, 1, { id: 'order-1' })
      await ran.count(2)
      const admin = bus.topic(TOPIC)
      await eventually(w, 'the retry', async () => ((await admin.group('a').stats()).retrying === 1 ? true : undefined))
      fails = false
      await admin.reschedule('order-1', 0)
      await ran.count(3)
      const inboxes = `${w.namespace}:{${TOPIC}}:x:dedupe:a:inbox`
      await eventually(w, 'both to remember', async () => ((await w.redis.zcard(inboxes)) === 1 ? true : undefined))
      expect(await w.redis.pttl(inboxes)).to.be.within(3_500_000, 3_600_000)
      // Its time has passed.
      await w.redis.zadd(inboxes, 1, 'order-1')
      await bus.publish(TOPIC, 2, { id: 'order-1' })
      await ran.first((group) => group === 'a' && ran.items.filter((each) => each === 'a').length === 3)
      expect(ran.items.filter((group) => group === 'b')).to.have.length(1)
    })

    it('stays as small as its window, in steps', async () => {
      const bus = deduping()
      const ran = new Received<unknown>()
      await bus.consume(TOPIC, ({ body }) => ran.add(body), { inbox: { window: '1h' } }).ready
      const inboxes = `${w.namespace}:{${TOPIC}}:x:dedupe:shop:inbox`
      const old = numbers(1000).flatMap((n) => [1, `old-${n}`])
      await w.redis.zadd(inboxes, ...old)
      await bus.publishBatch(
        TOPIC,
        numbers(300).map((body) => ({ body })),
      )
      await ran.count(300)
      await eventually(w, 'what is old to go', async () => ((await w.redis.zcard(inboxes)) === 300 ? true : undefined))
    })
  })

  it('keeps order and count of what it lets through, as a model says', async () => {
    const key = fc.constantFrom('a', 'b', 'c', undefined)
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(key, { minLength: 1, maxLength: 6 }), { maxLength: 12 }), async (batches) => {
        const bus = deduping()
        const topic = `${TOPIC}.run${++runs}`
        const seen = new Set<string>()
        const expected: number[] = []
        let n = 0
        for (const batch of batches) {
          const entries = batch.map((key) => {
            const body = n++
            if (key === undefined || !seen.has(key)) expected.push(body)
            if (key !== undefined) seen.add(key)
            return { body, ...(key === undefined ? {} : { dedupe: { key } }) }
          })
          await bus.publishBatch(topic, entries)
        }
        const received = new Received<number>()
        await bus.consume(topic, ({ body }) => received.add(body as number), { concurrency: 1 }).ready
        await received.count(expected.length)
        await bus.close()
        expect(received.items).to.deep.equal(expected)
      }),
      { numRuns: 15 },
    )
  })

  it('refuses options that it does not know, before anything is written', async () => {
    const bus = deduping()
    for (const option of [
      'a',
      7,
      { key: '' },
      { key: 'x'.repeat(501) },
      { mode: 'never' },
      { window: 'long' },
      { windw: 1 },
    ])
      expect(await failure(bus.publish(TOPIC, 1, { dedupe: option as never })), JSON.stringify(option)).to.include({
        code: 'INVALID_OPTIONS',
      })
    for (const option of [true, { window: 0 }, { widow: '1h' }])
      expect(() => bus.consume(TOPIC, () => {}, { inbox: option as never }), JSON.stringify(option)).to.throw('inbox')
    expect(() => dedupe({ mode: 'never' as never })).to.throw('mode')
    expect(() => dedupe({ windw: 1 } as never)).to.throw('windw')
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
  })
})
