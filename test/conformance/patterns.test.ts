import { createBus, defineTopics, type Message, type } from '@busway/bus'
import { expect } from 'chai'
import { connectionsOf } from '../support/connections.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)
const named = ({ topic, body }: Message) => `${topic} ${body}`

conformance('patterns', (world) => {
  /**
   * A bus that defines topics with a group of their own. What is published to such a topic before another group is there is none of the other's: without a
   * group of its own it would wait for the first to come, and a message that was missed would come all the same.
   */
  const owner = (names: readonly string[]) => {
    const topics = defineTopics(
      Object.fromEntries(names.map((name) => [name, { body: type<unknown>(), groups: ['owner'] }])),
    )
    const { server, namespace } = world
    const bus = createBus({ service: 'owner', redis: server.url, namespace, logger: false, topics })
    world.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  const groupsOf = async (topic: string) => Object.keys((await world.bus().topic(topic).stats()).groups).sort()
  const consumersOf = async (topic: string) => {
    const { groups } = await world.bus().topic(topic).stats()
    return Object.values(groups).reduce((sum, { consumers }) => sum + consumers, 0)
  }
  const registered = () => world.redis.smembers(`${world.namespace}:{$bus}:topics`)

  describe('mean', () => {
    const topics = ['orders', 'orders.paid', 'orders.paid.late', 'invoices.paid', 'Orders.paid']
    const cases: [pattern: string, meant: string[]][] = [
      ['orders.*', ['orders.paid']],
      ['orders.>', ['orders.paid', 'orders.paid.late']],
      ['*.paid', ['Orders.paid', 'invoices.paid', 'orders.paid']],
      ['*', ['orders']],
      ['*.*.late', ['orders.paid.late']],
      ['>', topics.toSorted()],
    ]
    for (const [pattern, meant] of cases) {
      for (const [when, ahead] of [
        ['are there', true],
        ['come later', false],
      ] as const) {
        it(`${meant.length} of ${topics.length} topics that ${when}: ${pattern}`, async () => {
          const publisher = world.bus()
          const received = new Received<string>()
          const publishAll = () => Promise.all(topics.map((topic) => publisher.publish(topic, 1)))
          if (ahead) await publishAll()
          const subscription = world.bus().consume(pattern, ({ topic }) => received.add(topic))
          await subscription.ready
          if (!ahead) await publishAll()
          await received.count(meant.length)
          expect(await Promise.all(topics.map(groupsOf))).to.deep.equal(
            topics.map((topic) => (meant.includes(topic) ? ['test'] : [])),
          )
          await subscription.close()
          expect(received.items.toSorted()).to.deep.equal(meant)
          for (const topic of topics) await publisher.topic(topic).purge({ state: 'unclaimed' })
          await namespaceIsClean(world.redis, world.namespace)
        })
      }
    }

    it('no topic of plugins', async () => {
      const { server, namespace } = world
      const plugin = { name: 'plugin', api: 1 as const, setup: () => {} }
      const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, plugins: [plugin] })
      world.atEnd(() => bus.close())
      const received = new Received<string>()
      await bus.consume('>', ({ topic }) => received.add(topic)).ready
      await bus.publish('$plugin', 1)
      await bus.publish('orders', 1)
      await received.count(1)
      await bus.close()
      expect(received.items).to.deep.equal(['orders'])
    })
  })

  describe('miss nothing', () => {
    it('of a topic that a publisher makes, from its first message on', async () => {
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
      await owner(['orders.paid']).publish('orders.paid', 1)
      await received.count(1)
      expect(await groupsOf('orders.paid')).to.deep.equal(['owner', 'test'])
    })

    it('of a topic that another process makes when it settles', async () => {
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
      const worker = await world.worker({ topic: 'work', behaviour: 'stage', outputTopic: 'orders.staged' })
      await world.bus().publish('work', 1)
      worker.tell({ do: 'release' })
      expect(await received.count(1)).to.deep.equal(['orders.staged 1'])
    })

    it('of a topic that is made by the relay of what a handler published', async () => {
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
      const bus = owner(['work', 'orders.staged'])
      await bus.consume('work', async (_, context) => void (await context.publish('orders.staged', 1))).ready
      await bus.publish('work', 1)
      expect(await received.count(1)).to.deep.equal(['orders.staged 1'])
    })

    it('of a topic that a consumer or an entry of the administration makes', async () => {
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
      await owner(['orders.paid']).consume('orders.paid', () => {}).ready
      expect(await groupsOf('orders.paid')).to.deep.equal(['owner', 'test'])
    })

    it('of topics that are made while it subscribes, once it is ready', async function () {
      this.timeout(60_000)
      const rounds = 40
      for (const round of numbers(rounds)) {
        const topics = numbers(30).map((n) => `r${round}.t${n}`)
        const publisher = owner(topics)
        const received = new Received<string>()
        const bus = world.bus()
        await publisher.ready()
        await bus.ready()
        let isReady = false
        const due: string[] = []
        const publishes: Promise<unknown>[] = []
        let subscription: ReturnType<typeof bus.consume> | undefined
        for (const [n, topic] of topics.entries()) {
          if (n === 8) {
            subscription = bus.consume(`r${round}.*`, ({ topic }) => received.add(topic))
            void subscription.ready.then(() => {
              isReady = true
            })
          }
          if (isReady) due.push(topic)
          publishes.push(publisher.publish(topic, n))
          // As far apart as a look at Redis, more or less, and another round each time.
          if (n % (1 + (round % 4)) === 0) await world.redis.ping()
        }
        await Promise.all(publishes)
        await subscription?.ready
        for (const topic of topics) due.push(topic)
        await Promise.all(topics.map((topic) => publisher.publish(topic, 'again')))
        await received.until((items) => includesAll(items, due), `${due.length} messages of round ${round}`)
        await Promise.all([bus.close(), publisher.close()])
      }
    })

    it('of topics that are made while its connections are gone', async () => {
      const proxy = await world.proxy()
      const received = new Received<string>()
      const bus = world.bus({ redis: proxy.redis })
      const subscription = bus.consume('orders.*', (message) => received.add(named(message)))
      await subscription.ready
      await proxy.down()
      const publisher = owner(['orders.paid', 'orders.late'])
      await publisher.publish('orders.paid', 1)
      await proxy.up()
      expect(await received.count(1)).to.deep.equal(['orders.paid 1'])
      // The news was missed by the subscribed connection alone.
      const back = proxy.connected()
      proxy.cut('subscribers')
      await publisher.publish('orders.late', 2)
      await back
      expect(await received.count(2)).to.deep.equal(['orders.paid 1', 'orders.late 2'])
    })

    it('while nobody consumes: the group takes part in what comes, and its next consumer gets it', async () => {
      const first = world.bus()
      await first.consume('orders.*', () => {}).ready
      await first.close()
      await owner(['orders.paid']).publish('orders.paid', 1)
      expect(await groupsOf('orders.paid')).to.deep.equal(['owner', 'test'])
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
      expect(await received.count(1)).to.deep.equal(['orders.paid 1'])
    })

    it('of a topic that was deleted and is begun anew', async () => {
      const received = new Received<string>()
      await world.bus().consume('orders.*', (message) => received.add(named(message)), { lease: 600 }).ready
      const bus = owner(['orders.paid'])
      for (const round of numbers(3)) {
        await bus.publish('orders.paid', round)
        await received.count(round + 1)
        await bus.topic('orders.paid').delete({ force: true })
      }
      expect(received.items).to.deep.equal(numbers(3).map((n) => `orders.paid ${n}`))
    })
  })

  it('let go of a topic that is deleted', async () => {
    const bus = world.bus()
    const received = new Received<string>()
    await bus.consume('orders.*', (message) => received.add(named(message)), { lease: 300 }).ready
    await bus.publish('orders.paid', 1)
    await received.count(1)
    const looks = new Received<string>()
    const monitor = await world.redis.monitor()
    world.atEnd(() => monitor.disconnect())
    monitor.on('monitor', (_time: string, [name]: string[]) => looks.add(String(name).toLowerCase()))
    const looked = looks.first((name) => name === 'sismember')
    await bus.topic('orders.paid').delete({ force: true })
    await bus.publish('orders.sent', 2)
    await received.count(2)
    // By the next renewal its session is known to be lost; what would follow begins with a look whether the topic is registered.
    await looked
    expect(await registered()).to.deep.equal(['orders.sent'])
    expect(await groupsOf('orders.paid')).to.deep.equal([])
  })

  it('run each message once, in groups of several consumers, and each group for itself', async () => {
    const received = { a: new Received<string>(), b: new Received<string>() }
    for (const group of ['a', 'a', 'b'] as const) {
      const bus = world.bus()
      await bus.consume('orders.*', (message) => received[group].add(named(message)), { group }).ready
    }
    const publisher = world.bus()
    const all = numbers(20).flatMap((n) => numbers(10).map((m) => ({ topic: `orders.t${n}`, body: m })))
    await Promise.all(all.map(({ topic, body }) => publisher.publish(topic, body)))
    const expected = all.map(({ topic, body }) => `${topic} ${body}`).sort()
    for (const each of Object.values(received)) {
      await each.count(all.length)
      expect(each.items.toSorted()).to.deep.equal(expected)
    }
  })

  it('run as many messages at once as their concurrency, over all topics', async () => {
    const bus = world.bus()
    const topics = numbers(8).map((n) => `orders.t${n}`)
    for (const topic of topics)
      await bus.publishBatch(
        topic,
        numbers(10).map((body) => ({ body })),
      )
    const running = new Received<number>()
    const ended = new Received<string>()
    let now = 0
    const handler = async (message: Message) => {
      running.add(++now)
      await new Promise((resolve) => setTimeout(resolve, 2))
      now--
      ended.add(named(message))
    }
    await bus.consume('orders.*', handler, { concurrency: 3 }).ready
    await ended.count(80)
    expect(Math.max(...running.items)).to.equal(3)
    expect(ended.items.toSorted()).to.deep.equal(topics.flatMap((topic) => numbers(10).map((n) => `${topic} ${n}`)))
  })

  it('keep no topic waiting for all that another has', async () => {
    const bus = world.bus()
    const received = new Received<string>()
    const handler = async ({ topic }: Message) => {
      received.add(topic)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await bus.publishBatch(
      'orders.busy',
      numbers(500).map((body) => ({ body })),
    )
    await bus.consume('orders.*', handler, { concurrency: 2 }).ready
    await received.count(20)
    const before = received.items.length
    await bus.publish('orders.quiet', 1)
    await received.first((topic) => topic === 'orders.quiet')
    // What was held ahead runs before: 50 ms of work.
    expect(received.items.indexOf('orders.quiet') - before).to.be.below(150)
    await received.count(501)
  })

  it('give back what they hold of one topic when it is another that keeps them busy', async () => {
    const slow = world.bus()
    const gate = new Gate()
    const started = new Received<string>()
    const hold = async (message: Message) => {
      started.add(named(message))
      await gate.opened
    }
    await slow.consume('orders.*', hold, { concurrency: 2 }).ready
    await slow.publishBatch(
      'orders.a',
      numbers(4).map((body) => ({ body })),
    )
    await started.count(2)
    await slow.publishBatch(
      'orders.b',
      numbers(4).map((body) => ({ body })),
    )
    const received = new Received<string>()
    await world.bus().consume('orders.*', (message) => received.add(named(message))).ready
    // All but the two that run.
    await received.count(6)
    gate.open()
    await slow.close()
    expect([...started.items, ...received.items].toSorted()).to.deep.equal(
      ['a', 'b'].flatMap((topic) => numbers(4).map((n) => `orders.${topic} ${n}`)),
    )
  })

  it('retry and bury where the message came from', async () => {
    const bus = world.bus()
    const attempts = new Received<number>()
    const fail = ({ attempt }: Message) => {
      attempts.add(attempt)
      throw new Error('no')
    }
    await bus.consume('orders.*', fail, { retry: { attempts: 2, delay: 5 } }).ready
    await bus.publish('orders.paid', 1)
    await bus.publish('orders.sent', 2)
    await attempts.count(4)
    const group = bus.topic('orders.paid').group('test')
    await eventually(world, 'the dead letter', async () => (await group.stats()).dead === 1 || undefined)
    expect((await group.deadLetters()).items).to.have.length(1)
    expect(await group.redrive('all')).to.equal(1)
    await attempts.count(5)
  })

  it('pause and resume in all topics, those that come meanwhile included', async () => {
    const bus = world.bus()
    const received = new Received<string>()
    const subscription = bus.consume('orders.*', (message) => received.add(named(message)))
    await subscription.ready
    await bus.publish('orders.paid', 1)
    await received.count(1)
    subscription.pause()
    await bus.publish('orders.paid', 2)
    await bus.publish('orders.sent', 3)
    await eventually(world, 'both to be consumed', async () => (await consumersOf('orders.sent')) === 1 || undefined)
    // Another group gets what this one does not take.
    const other = new Received<unknown>()
    await bus.consume('orders.sent', ({ body }) => other.add(body), { group: 'other' }).ready
    await bus.publish('orders.sent', 4)
    await other.count(1)
    expect(received.items).to.deep.equal(['orders.paid 1'])
    subscription.resume()
    await received.count(4)
    expect(received.items.toSorted()).to.deep.equal([
      'orders.paid 1',
      'orders.paid 2',
      'orders.sent 3',
      'orders.sent 4',
    ])
  })

  it('close in all topics: what runs is waited for, and nothing more begins', async () => {
    const bus = world.bus()
    const started = new Received<string>()
    const gate = new Gate()
    const subscription = bus.consume('orders.*', async (message) => {
      started.add(named(message))
      await gate.opened
    })
    await subscription.ready
    await bus.publish('orders.paid', 1)
    await bus.publish('orders.sent', 2)
    await started.count(2)
    const closed = subscription.close()
    await bus.publish('orders.paid', 3)
    await bus.publish('orders.new', 4)
    gate.open()
    expect(await closed).to.deep.equal({ released: 0, abandoned: [], unanswered: 0 })
    expect(started.items).to.have.length(2)
    for (const topic of ['orders.paid', 'orders.sent', 'orders.new']) {
      expect(await groupsOf(topic)).to.deep.equal(['test'])
      expect(await consumersOf(topic)).to.equal(0)
    }
  })

  it('close when time is up, and say what was abandoned', async () => {
    const bus = world.bus()
    const started = new Received<string>()
    const gate = new Gate()
    const subscription = bus.consume('orders.*', async ({ id }) => {
      started.add(id)
      await gate.opened
    })
    await subscription.ready
    await Promise.all([bus.publish('orders.paid', 1), bus.publish('orders.sent', 2)])
    await started.count(2)
    const { abandoned } = await subscription.close({ timeout: 10 })
    expect(abandoned.toSorted()).to.deep.equal(started.items.toSorted())
    gate.open()
  })

  describe('of one bus and group', () => {
    const overlapping = async (names: readonly string[]) => {
      const bus = world.bus()
      const received = new Received<string>()
      const subscriptions = names.map((name) => bus.consume(name, ({ body }) => received.add(`${name}: ${body}`)))
      await Promise.all(subscriptions.map(({ ready }) => ready))
      return { bus, received, subscriptions }
    }

    for (const names of [
      ['orders.paid', 'orders.*'],
      ['orders.*', 'orders.paid'],
    ]) {
      it(`leave a topic to who names it: ${names.join(', then ')}`, async () => {
        const { bus, received, subscriptions } = await overlapping(names)
        await bus.publish('orders.paid', 1)
        await received.count(1)
        await subscriptions[names.indexOf('orders.paid')]?.close()
        await bus.publish('orders.paid', 2)
        await received.count(2)
        expect(received.items).to.deep.equal(['orders.paid: 1', 'orders.*: 2'])
        expect(await consumersOf('orders.paid')).to.equal(1)
      })
    }

    it('leave a topic that is consumed already to one that names it from now on', async () => {
      const { bus, received } = await overlapping(['orders.*'])
      await bus.publish('orders.paid', 1)
      await received.count(1)
      const named = bus.consume('orders.paid', ({ body }) => received.add(`orders.paid: ${body}`))
      await named.ready
      await eventually(world, 'one consumer', async () => (await consumersOf('orders.paid')) === 1 || undefined)
      await bus.publish('orders.paid', 2)
      await received.count(2)
      expect(received.items).to.deep.equal(['orders.*: 1', 'orders.paid: 2'])
    })

    it('leave a topic to the first, until it is closed', async () => {
      const { bus, received, subscriptions } = await overlapping(['*.paid', 'orders.*'])
      await bus.publish('orders.paid', 1)
      await bus.publish('orders.sent', 2)
      await received.count(2)
      await subscriptions[0]?.close()
      await bus.publish('orders.paid', 3)
      await received.count(3)
      expect(received.items.toSorted()).to.deep.equal(['*.paid: 1', 'orders.*: 2', 'orders.*: 3'])
    })

    it('are refused a second time', async () => {
      const bus = world.bus()
      bus.consume('orders.*', () => {})
      expect(() => bus.consume('orders.*', () => {}))
        .to.throw()
        .with.property('code', 'DUPLICATE_SUBSCRIPTION')
      await bus.consume('orders.*', () => {}, { group: 'other' }).ready
    })
  })

  it('go on in a new group where theirs is removed', async () => {
    const bus = world.bus()
    const received = new Received<string>()
    await bus.consume('orders.*', (message) => received.add(named(message)), { lease: 600 }).ready
    await bus.publish('orders.paid', 1)
    await received.count(1)
    await bus.topic('orders.paid').group('test').remove()
    await bus.publish('orders.paid', 2)
    await received.count(2)
  })

  describe('can be', () => {
    it('listed, and removed: then no later topic has their group', async () => {
      const bus = world.bus()
      await bus.consume('orders.>', () => {}, { group: 'b' }).ready
      await bus.consume('orders.>', () => {}, { group: 'a' }).ready
      await bus.consume('*', () => {}, { group: 'c' }).ready
      const listed = await bus.patterns()
      expect(listed.map(({ pattern, group }) => `${pattern} ${group}`)).to.deep.equal([
        '* c',
        'orders.> a',
        'orders.> b',
      ])
      for (const { since } of listed) expect(Math.abs(since.getTime() - Date.now())).to.be.below(60_000)
      await bus.close()

      const admin = world.bus()
      await admin.publish('orders.old', 1)
      expect(await admin.removePattern('orders.>', { group: 'a' })).to.equal(true)
      expect(await admin.removePattern('orders.>', { group: 'a' })).to.equal(false)
      await admin.publish('orders.new', 1)
      expect(await groupsOf('orders.old')).to.deep.equal(['a', 'b'])
      expect(await groupsOf('orders.new')).to.deep.equal(['b'])
    })

    const refusals: [what: string, pattern: unknown, options: unknown, code: string][] = [
      ['the name of a topic', 'orders.paid', { group: 'a' }, 'INVALID_TOPIC'],
      ['what is no pattern', 'orders.>.x', { group: 'a' }, 'INVALID_TOPIC'],
      ['no string', 1, { group: 'a' }, 'INVALID_TOPIC'],
      ['no group', 'orders.*', {}, 'INVALID_GROUP'],
      ['no options', 'orders.*', undefined, 'INVALID_GROUP'],
      ['an option that is unknown', 'orders.*', { group: 'a', force: true }, 'INVALID_OPTIONS'],
    ]
    for (const [what, pattern, options, code] of refusals) {
      it(`removed only by what they are: not by ${what}`, async () => {
        const removing = world.bus().removePattern(pattern as string, options as { group: string })
        const error = await removing.then(
          () => undefined,
          (error: unknown) => error,
        )
        expect(error).to.have.property('code', code)
      })
    }
  })

  for (const pattern of ['orders.>.x', '*a', 'orders.*x', '>>', 'orders..*', '$plugin.*', '*'.repeat(201)]) {
    it(`are refused where they are none: ${pattern.slice(0, 20)}`, () => {
      expect(() => world.bus().consume(pattern, () => {}))
        .to.throw()
        .with.property('code', 'INVALID_TOPIC')
    })
  }

  it('are refused beyond a thousand in a namespace, which says how to remove some', async () => {
    const key = `${world.namespace}:{$bus}:patterns`
    await world.redis.hset(key, ...numbers(1000).flatMap((n) => [`g${n} orders.*`, 1]))
    const bus = world.bus()
    const subscription = bus.consume('orders.*', () => {})
    const error = await subscription.ready.then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).to.have.property('code', 'TOO_MANY_PATTERNS')
    expect(await bus.removePattern('orders.*', { group: 'g7' })).to.equal(true)
    await bus.publish('orders.paid', 1)
    await eventually(
      world,
      'the pattern',
      async () => (await world.redis.hexists(key, 'test orders.*')) === 1 || undefined,
    )
  })

  it('take part in thousands of topics over two connections', async function () {
    this.timeout(60_000)
    const topics = numbers(2000).map((n) => `orders.t${n}`)
    // They are declared one by one, and other tests run on this machine.
    const publishTimeout = '60s'
    const publisher = world.bus({ publishTimeout })
    const publishAll = (body: unknown) => Promise.all(topics.map((topic) => publisher.publish(topic, body)))
    await publishAll(1)
    const bus = world.bus({ service: 'counted', publishTimeout })
    const received = new Received<string>()
    await bus.consume('orders.*', (message) => received.add(named(message))).ready
    await received.count(topics.length)
    await publishAll(2)
    await received.count(2 * topics.length)
    expect(Math.max(...(await connectionsOf(world, 'counted')))).to.equal(2)
    await Promise.all([bus.close(), publisher.close()])
    expect(received.items.toSorted()).to.deep.equal(topics.flatMap((topic) => [`${topic} 1`, `${topic} 2`]).sort())
    const sessions = topics.map((topic) => `${world.namespace}:{${topic}}:counted@1:sessions`)
    expect(await world.redis.exists(...sessions)).to.equal(0)
  })
})

/** Each as often as in `due`. */
function includesAll(items: readonly string[], due: readonly string[]): boolean {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  const wanted = new Map<string, number>()
  for (const item of due) wanted.set(item, (wanted.get(item) ?? 0) + 1)
  return [...wanted].every(([item, count]) => (counts.get(item) ?? 0) >= count)
}
