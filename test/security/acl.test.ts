/** The users of docs/security.md: real buses under them do what they are for, and are refused the rest whole. */
import {
  type Bus,
  BuswayError,
  createBus,
  defineTopics,
  type Plugin,
  type Topics,
  type,
  UnrecoverableError,
} from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { flow } from '@busway/plugin-flow'
import { ratelimit } from '@busway/plugin-ratelimit'
import { schedule } from '@busway/plugin-schedule'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { type PlainBusOptions, world } from '../support/world.js'
import { blocksOf, createUsers, passwordOf, pluginRules } from './page.js'

const TOPIC = 'orders.paid'

describe('the users of docs/security.md', function () {
  this.timeout(30_000)
  const w = world()
  const urlOf = (user: string): string =>
    w.server.url.replace('redis://', `redis://${user}:${encodeURIComponent(passwordOf(user))}@`)
  const busOf = (user: string, options: PlainBusOptions = {}): Bus => w.bus({ redis: urlOf(user), ...options })
  /** What Redis has denied to anybody. */
  const denied = async (): Promise<string[]> =>
    ((await w.redis.call('ACL', 'LOG')) as unknown[][]).map((entry) => entry.slice(2, 10).join(' '))

  const equipped = (user: string, plugins: readonly Plugin[], topics?: Topics<object>): Bus => {
    const options = { service: 'ledger', redis: urlOf(user), namespace: w.namespace, logger: w.log.logger }
    const bus = createBus({ ...options, plugins, ...(topics && { topics }) }) as unknown as Bus
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }

  beforeEach(async () => {
    await createUsers(w.redis, w.namespace)
    await w.redis.call('ACL', 'LOG', 'RESET')
  })

  describe('shop-producer', () => {
    it('publishes, asks, and learns what becomes of its messages', async () => {
      const server = w.bus({ service: 'ledger' })
      await server.consume(TOPIC, ({ body }) => `paid ${body}`).ready
      const bus = busOf('shop-producer', { service: 'checkout' })
      const told = new Received<string>()
      const events = bus.events(TOPIC)
      await events.ready
      void (async () => {
        for await (const { type } of events) told.add(type)
      })()
      const { id } = await bus.publish(TOPIC, 1, { id: 'order-1', key: 'k', priority: 5, keepResult: '1m' })
      expect(await bus.topic(TOPIC).settled(id)).to.include({ outcome: 'done' })
      await bus.publish(TOPIC, 2, { delay: 5, expiresIn: '1m', headers: { a: 'b' } })
      await bus.publishBatch(TOPIC, [{ body: 3 }, { body: 4, position: 'front' }])
      expect(await bus.request(TOPIC, 5)).to.equal('paid 5')
      await told.first((type) => type === 'settled')
      await events.close()
      expect(Object.keys((await bus.topic(TOPIC).stats()).groups)).to.deep.equal(['ledger'])
      expect(await denied()).to.deep.equal([])
    })

    const refused: readonly [what: string, call: (bus: Bus) => Promise<unknown>][] = [
      ['consume', (bus) => bus.consume(TOPIC, () => {}).ready],
      ['consume what a pattern matches', (bus) => bus.consume('orders.*', () => {}).ready],
      ['remove a pattern', (bus) => bus.removePattern('orders.*', { group: 'ledger' })],
      ...administration(),
    ]
    for (const [what, call] of refused)
      it(`may not ${what}`, async () => {
        const waiting = await messagesIn(w.bus({ service: 'ledger' }))
        const bus = busOf('shop-producer', { service: 'checkout' })
        await bus.publish(TOPIC, 'last')
        await expectRefused(bus, call)
        expect((await w.bus().topic(TOPIC).group('ledger').stats()).ready).to.equal(waiting + 1)
      })
  })

  describe('shop-consumer', () => {
    it('consumes in every way, and publishes', async () => {
      const bus = busOf('shop-consumer', { service: 'ledger' })
      const done = new Received<string>()
      const once = new Set<unknown>()
      await bus.consume(
        TOPIC,
        async ({ body, attempt }, ctx) => {
          await ctx.progress(1)
          await ctx.publish('receipts.sent', body)
          if (body === 'dead') throw new UnrecoverableError('it is')
          if (attempt === 1 && body === 'again') throw new Error('once')
          once.add(body)
          done.add(String(body))
        },
        { retry: { attempts: 3, delay: 5 }, groupConcurrency: 3, deadLetters: { max: 1 } },
      ).ready
      const receipts = new Received<unknown>()
      await bus.consume('receipts.*', ({ body }) => receipts.add(body), { group: 'mail' }).ready
      const batches = new Received<unknown>()
      await bus.consumeBatch('audit', (messages) => batches.add(messages.length), { batch: { size: 2, wait: 5 } }).ready
      for (const [i, body] of ['plain', 'again', 'dead', 'dead', 'keyed', 'keyed too'].entries())
        await bus.publish(TOPIC, body, i > 3 ? { key: 'k', priority: i } : i === 0 ? { delay: 5 } : {})
      await bus.publishBatch('audit', [{ body: 1 }, { body: 2 }])
      await done.count(4)
      await receipts.count(4)
      await batches.count(1)
      await bus.close()
      expect(await denied()).to.deep.equal([])
    })

    it('takes over from one that died', async () => {
      const consume = { group: 'ledger', lease: 300 }
      const worker = await w.worker({ redis: urlOf('shop-consumer'), topic: TOPIC, behaviour: 'hold', consume })
      await busOf('shop-consumer').publish(TOPIC, { hold: true })
      await worker.until('started', 1)
      await worker.kill()
      const redelivered = new Received<boolean>()
      await busOf('shop-consumer').consume(TOPIC, (message) => redelivered.add(message.redelivered), consume).ready
      expect(await redelivered.count(1)).to.deep.equal([true])
      expect(await denied()).to.deep.equal([])
    })

    it('replays what is retained', async () => {
      const topics = defineTopics({ [TOPIC]: { body: type<unknown>(), retain: 10 } })
      const bus = equipped('shop-consumer', [], topics)
      await bus.publishBatch(TOPIC, [{ body: 1 }, { body: 2 }])
      for (const group of ['ledger', 'audit']) {
        const seen = new Received<unknown>()
        await bus.consume(TOPIC, ({ body }) => seen.add(body), { group, from: 'beginning' }).ready
        expect(await seen.count(2)).to.deep.equal([1, 2])
      }
      await bus.close()
      expect(await denied()).to.deep.equal([])
    })

    for (const [what, call] of administration())
      it(`may not ${what}`, async () => {
        await messagesIn(w.bus({ service: 'ledger' }))
        await expectRefused(busOf('shop-consumer'), call)
      })
  })

  describe('shop-admin', () => {
    for (const [what, call] of administration())
      it(`may ${what}`, async () => {
        await messagesIn(w.bus({ service: 'ledger' }))
        await call(busOf('shop-admin'))
        expect(await denied()).to.deep.equal([])
      })
  })

  describe('shop-receipts', () => {
    it('consumes and publishes what its patterns name, and is refused other topics', async () => {
      const bus = busOf('shop-receipts', { service: 'receipts' })
      const sent = new Received<unknown>()
      const open = w.bus()
      await open.consume('receipts.sent', ({ body }) => sent.add(body)).ready
      await bus.consume(TOPIC, ({ body }, ctx) => ctx.publish('receipts.sent', body)).ready
      await bus.publish(TOPIC, 1)
      await sent.count(1)
      // So that nothing changes any more but by what is refused.
      await eventually(w, 'both to be settled', async () => {
        const stats = await Promise.all([TOPIC, 'receipts.sent'].map((topic) => open.topic(topic).stats()))
        const groups = stats.flatMap(({ groups }) => Object.values(groups))
        return groups.every(({ ready, inFlight }) => ready + inFlight === 0) || undefined
      })
      expect(await denied()).to.deep.equal([])
      await expectRefused(bus, () => bus.publish('salaries', 1))
      await expectRefused(bus, () => bus.consume('salaries', () => {}).ready)
      await expectRefused(bus, () => bus.consume('receipts.sent', () => {}).ready)
    })
  })

  it('suffice for deduplication and rate limits as they are', async () => {
    const bus = equipped('shop-consumer', [dedupe(), ratelimit()])
    const seen = new Received<unknown>()
    const limited = { rate: { limit: 100, per: '1s' }, inbox: { window: '1m' } }
    await bus.consume(TOPIC, ({ body }) => seen.add(body), limited as never).ready
    const once = { dedupe: { key: 'one', window: '1m' } } as never
    await bus.publish(TOPIC, 1, once)
    expect(await bus.publish(TOPIC, 2, once)).to.include({ status: 'duplicate' })
    expect(await seen.count(1)).to.deep.equal([1])
    await bus.close()
    expect(await denied()).to.deep.equal([])
  })

  it('suffice for schedules and flows with the topics of plugins', async () => {
    for (const rule of pluginRules())
      await w.redis.call('ACL', 'SETUSER', 'shop-consumer', rule.replace('shop:', `${w.namespace}:`))
    const bus = equipped('shop-consumer', [schedule(), flow()]) as Bus & {
      schedules: { upsert(id: string, spec: object): Promise<unknown>; list(): Promise<{ items: unknown[] }> }
      flows: { publish(node: object): Promise<unknown> }
    }
    const seen = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => seen.add(body)).ready
    await bus.schedules.upsert('often', { topic: TOPIC, body: 'scheduled', every: 100, limit: 1 })
    await bus.schedules.list()
    await seen.first((body) => body === 'scheduled')
    await bus.flows.publish({ topic: TOPIC, body: 'whole', children: [{ topic: TOPIC, body: 'part' }] })
    await seen.first((body) => body === 'whole')
    await bus.close()
    expect(await denied()).to.deep.equal([])
  })

  it('may do nothing outside their namespace, and nothing dangerous in it', async () => {
    for (const user of ['shop-producer', 'shop-consumer', 'shop-receipts', 'shop-admin']) {
      const raw = new Redis(urlOf(user), { lazyConnect: true })
      await raw.connect()
      const calls: string[][] = [
        ['GET', 'shop'],
        ['HGETALL', `${w.namespace}2:{${TOPIC}}:batches`],
        ['SET', `other:{${TOPIC}}:meta`, '1'],
        ['EVAL', 'return 1', '0'],
        ['FLUSHALL'],
        ['KEYS', '*'],
        ['CONFIG', 'GET', '*'],
        ['ACL', 'LIST'],
        ['MONITOR'],
        ['SCRIPT', 'FLUSH'],
        ['PUBLISH', `other:{${TOPIC}}:events`, 'x'],
        ['SUBSCRIBE', `other:{${TOPIC}}:events`],
      ]
      for (const [command = '', ...args] of calls)
        expect(await raw.call(command, ...args).catch(({ message }: Error) => message), `${user}: ${command}`).to.match(
          /^NOPERM/,
        )
      raw.disconnect()
    }
  })

  it('say what they lack, when an operator took too much', async () => {
    await w.redis.call('ACL', 'SETUSER', 'shop-consumer', '-hset')
    const stopped = await busOf('shop-consumer')
      .publish(TOPIC, 1)
      .catch((error: BuswayError) => error)
    expect(stopped).to.include({ code: 'REDIS_FAILED' })
    expect((stopped as BuswayError).message).to.include('docs/security.md')
    await w.redis.call('ACL', 'SETUSER', 'shop-consumer', '+hset', 'resetchannels')
    const bus = busOf('shop-consumer')
    await bus
      .consume('orders.sent', () => {}, { group: 'other' })
      .ready.then(
        () => expect.fail('it started'),
        ({ code }: BuswayError) => expect(code).to.equal('REDIS_REFUSED'),
      )
    await w.redis.del(...(await w.redis.keys(`${w.namespace}:*`))) // what a script that was stopped leaves behind
  })

  it('can be all that there are: the default user is turned off', async () => {
    const last = blocksOf('redis')
      .flatMap(({ text }) => text.trim().split('\n'))
      .filter((line) => / default /.test(line))
    expect(last).to.have.length(1)
    const [command = '', ...args] = last[0]?.split(' ') ?? []
    await w.redis.call(command, ...args)
    try {
      const open = w.bus()
      expect(await open.publish(TOPIC, 1).catch(({ code }: BuswayError) => code)).to.equal('REDIS_REFUSED')
      expect(await busOf('shop-producer').publish(TOPIC, 1)).to.include({ status: 'accepted' })
    } finally {
      await w.redis.call('ACL', 'SETUSER', 'default', 'on')
    }
  })

  /** A dead letter, and messages that wait; answers how many wait. */
  async function messagesIn(bus: Bus): Promise<number> {
    const subscription = bus.consume(TOPIC, () => Promise.reject(new UnrecoverableError('no')))
    await subscription.ready
    await bus.publish(TOPIC, 'dead', { id: 'dead' })
    await bus.topic(TOPIC).settled('dead')
    await subscription.close()
    await bus.publishBatch(TOPIC, [{ body: 1, id: 'first' }, { body: 2 }])
    await bus.publish(TOPIC, 3, { id: 'later', delay: '1h' })
    return 2
  }

  async function expectRefused(bus: Bus, call: (bus: Bus) => Promise<unknown>): Promise<void> {
    await bus.ready()
    const before = await contents(w.redis, w.namespace)
    const error = await call(bus).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).to.be.instanceOf(BuswayError)
    expect(error).to.include({ code: 'REDIS_REFUSED' })
    expect((error as BuswayError).message).to.include('docs/security.md')
    expect(await contents(w.redis, w.namespace)).to.deep.equal(before)
  }
})

function administration(): [what: string, call: (bus: Bus) => Promise<unknown>][] {
  const topic = (bus: Bus) => bus.topic(TOPIC)
  const group = (bus: Bus) => topic(bus).group('ledger')
  return [
    ['list topics', (bus) => bus.topics()],
    ['pause a group', (bus) => group(bus).pause()],
    ['look at messages', (bus) => group(bus).peek()],
    ['look at a message', (bus) => topic(bus).message('first')],
    ['look at dead letters', (bus) => group(bus).deadLetters()],
    ['look at consumers', (bus) => group(bus).consumers()],
    ['set a concurrency', (bus) => group(bus).setConcurrency(3)],
    ['redrive', (bus) => group(bus).redrive('all')],
    ['cancel', (bus) => topic(bus).cancel('first')],
    ['reschedule', (bus) => topic(bus).reschedule('later', 0)],
    ['update', (bus) => topic(bus).update('first', { priority: 2 })],
    ['purge a group', (bus) => group(bus).purge()],
    ['purge what is scheduled', (bus) => topic(bus).purge({ state: 'scheduled' })],
    ['remove a group', (bus) => group(bus).remove()],
    ['delete a topic', (bus) => topic(bus).delete({ force: true })],
  ]
}

/** Every key of the namespace with what it holds; but not the list of names, which has a topic before anybody may do anything there. */
async function contents(redis: Redis, namespace: string): Promise<Record<string, string>> {
  const keys = (await redis.keys(`${namespace}:*`)).filter((key) => !key.endsWith(':{$bus}:topics')).sort()
  const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)))
  return Object.fromEntries(keys.map((key, i) => [key, values[i]?.toString('base64') ?? '']))
}
