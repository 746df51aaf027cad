import { expect } from 'chai'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'
import { batch } from './held.js'

describe('a subscription', () => {
  const w = world()
  const deadLetters = async () => (await w.bus().topic('orders.paid').group('test').deadLetters()).items

  /** Replaces what Redis has stored of the only batch there. */
  const tamper = async (value: Buffer | undefined) => {
    const key = `${w.namespace}:{orders.paid}:batches`
    const [id = ''] = await w.redis.hkeys(key)
    if (value === undefined) await w.redis.hdel(key, id)
    else await w.redis.hset(key, id, value)
  }

  describe('refuses', () => {
    const refusals: [what: string, options: object, says: string][] = [
      ['an option that is unknown, naming the nearest', { concurency: 1 }, 'Did you mean "concurrency"'],
      ['a beginning that is none', { from: 'start' }, 'from'],
      ['a concurrency that is no whole number', { concurrency: 1.5 }, 'concurrency'],
      ['a limit of the group of 0', { groupConcurrency: 0 }, 'groupConcurrency'],
      ['a concurrency of 0', { concurrency: 0 }, 'concurrency'],
      ['a duration that is none', { lookahead: '5 minutes' }, 'lookahead'],
      ['a negative timeout', { timeout: -1 }, 'timeout'],
      ['a lease too short to be kept', { lease: 10 }, 'lease'],
      ['a retry policy with an unknown field', { retry: { attempt: 1 } }, 'attempts'],
      ['no attempts', { retry: { attempts: 0 } }, 'retry.attempts'],
      ['a jitter above 1', { retry: { jitter: 2 } }, 'retry.jitter'],
      ['a backoff of a name unknown', { retry: { backoff: 'linear' } }, 'retry.backoff'],
      ['bounds of dead letters that are unknown', { deadLetters: { keeps: 1 } }, 'keep'],
      ['middlewares that are none', { use: ['x'] }, 'use'],
      ['options that are no object', [] as unknown as object, 'object'],
    ]
    for (const [what, options, says] of refusals) {
      it(what, () => {
        const error = (() => {
          try {
            w.bus().consume('orders.paid', () => {}, options)
          } catch (thrown) {
            return thrown as Error
          }
          throw new Error('accepted')
        })()
        expect(error).to.have.property('code', 'INVALID_OPTIONS')
        expect(error.message).to.contain(says)
      })
    }

    const batchRefusals: [what: string, options: object, says: string][] = [
      ['no size of a batch', { group: 'a' }, 'batch'],
      ['a size of 0', { batch: { size: 0 } }, 'batch.size'],
      ['a size above a thousand', { batch: { size: 1001 } }, 'batch.size'],
      ['a wait that is no duration', { batch: { size: 1, wait: 'soon' } }, 'batch.wait'],
      ['a wait of days', { batch: { size: 1, wait: '2d' } }, 'batch.wait'],
      ['an option of batches that is unknown', { batch: { size: 1, waits: 1 } }, 'Did you mean "wait"'],
      ['more messages at once than there may be', { batch: { size: 1000 }, concurrency: 11 }, 'concurrency'],
      ['an unknown option', { batch: { size: 1 }, concurency: 1 }, 'consumeBatch: there is no option "concurency"'],
    ]
    for (const [what, options, says] of batchRefusals) {
      it(`${what}, of a batch handler`, () => {
        const consume = () => w.bus().consumeBatch('orders.paid', () => {}, options as never)
        const error = expect(consume).to.throw()
        error.with.property('code', 'INVALID_OPTIONS')
        error.with.property('message').that.contains(says)
      })
    }

    it('batches without a batch handler, and batch handlers of several topics', () => {
      const options = { batch: { size: 1 } } as object
      expect(() => w.bus().consume('orders.paid', () => {}, options)).to.throw('consumeBatch')
      expect(() => w.bus().consumeBatch('orders.*', () => {}, { batch: { size: 1 } }))
        .to.throw()
        .with.property('code', 'INVALID_TOPIC')
    })

    it('a second subscription to a topic and group, of whatever kind', () => {
      const bus = w.bus()
      bus.consume('orders.paid', () => {})
      expect(() => bus.consumeBatch('orders.paid', () => {}, { batch: { size: 1 } }))
        .to.throw()
        .with.property('code', 'DUPLICATE_SUBSCRIPTION')
    })

    it('a handler that is no function, and a group that is no name', () => {
      expect(() => w.bus().consume('orders.paid', 'x' as never))
        .to.throw()
        .with.property('code', 'INVALID_OPTIONS')
      const consume = () => w.bus().consume('orders.paid', () => {}, { group: 'a:b' })
      expect(consume).to.throw().with.property('code', 'INVALID_GROUP')
    })
  })

  describe('puts into the dead letters, and goes on,', () => {
    const bad: [what: string, value: Buffer | undefined][] = [
      ['an envelope that is none', Buffer.from('nonsense')],
      ['a body that is no JSON', batch([{ body: '{"a":' }])],
      ['a content type that nothing here decodes', batch([{ body: 'x', contentType: 'application/avro' }])],
      ['an envelope of more messages than it should have', batch([{ body: '1' }, { body: '2' }])],
    ]
    for (const [what, value] of bad) {
      it(what, async () => {
        const publisher = w.bus()
        const bodies = new Received<unknown>()
        const bus = w.bus()
        await bus.consume('orders.paid', () => {}).ready
        await bus.topic('orders.paid').group('test').pause()
        await publisher.publish('orders.paid', 'bad')
        await tamper(value)
        await bus.close()
        const consumer = w.bus()
        await consumer.topic('orders.paid').group('test').resume()
        const subscription = consumer.consume('orders.paid', ({ body }) => bodies.add(body))
        await publisher.publish('orders.paid', 'good')
        await bodies.first((body) => body === 'good')
        await w.log.first(({ reason }) => reason === 'undecodable')
        await subscription.close()
        const [letter] = await deadLetters()
        expect(letter).to.include({ reason: 'undecodable' })
        expect(letter?.error.name).to.equal('BuswayError')
        expect(bodies.items).to.deep.equal(['good'])
        expect(await publisher.topic('orders.paid').group('test').purge({ state: 'dead' })).to.equal(1)
        await namespaceIsClean(w.redis, w.namespace)
      })
    }

    it('a message whose attempts were used up by another policy, without running it', async () => {
      const bus = w.bus()
      const first = new Received<unknown>()
      const eager = bus.consume(
        'orders.paid',
        () => {
          first.add(1)
          throw new Error('no')
        },
        { retry: { attempts: 10, delay: 1, maxDelay: 1 } },
      )
      await eager.ready
      await bus.publish('orders.paid', 'bad')
      await first.count(3)
      await eager.close()
      const ran = new Received<unknown>()
      const strict = bus.consume('orders.paid', ({ body }) => ran.add(body), { retry: { attempts: 2 } })
      await bus.publish('orders.paid', 'good')
      await ran.first((body) => body === 'good')
      await w.log.first(({ reason }) => reason === 'attempts')
      await strict.close()
      expect(ran.items).to.deep.equal(['good'])
      expect((await deadLetters())[0]).to.include({ body: 'bad', reason: 'attempts' })
    })
  })

  it('does not stop at a message that Redis has lost', async () => {
    const publisher = w.bus()
    const consumer = w.bus()
    const bodies = new Received<unknown>()
    const paused = consumer.consume('orders.paid', ({ body }) => bodies.add(body))
    paused.pause()
    await paused.ready
    await publisher.publish('orders.paid', 'lost')
    await tamper(undefined)
    paused.resume()
    await publisher.publish('orders.paid', 'good')
    expect(await bodies.count(1)).to.deep.equal(['good'])
    await paused.close()
  })

  it('gives back what a handler that became slow does not come to run', async () => {
    const bus = w.bus()
    const gate = new Gate()
    const warm = new Received<unknown>()
    const held = new Received<unknown>()
    let isSlow = false
    const slow = bus.consume(
      'orders.paid',
      async ({ body }) => {
        if (!isSlow) return warm.add(body)
        held.add(body)
        await gate.opened
      },
      { concurrency: 1 },
    )
    await slow.ready
    for (let i = 0; i < 300; i++) await bus.publish('orders.paid', 'warm')
    await warm.count(300)
    isSlow = true
    await bus.publishBatch(
      'orders.paid',
      [...Array(100).keys()].map((body) => ({ body })),
    )
    await held.count(1)
    const others = new Received<unknown>()
    w.bus().consume('orders.paid', ({ body }) => others.add(body))
    // On a busy machine the slow one has not taken all of them, and the others begin with what it left.
    expect(await others.count(99)).to.have.members([...Array(100).keys()].slice(1))
    gate.open()
    await bus.close()
    await namespaceIsClean(w.redis, w.namespace)
  })

  it('warns, saying what to do, when the event loop was blocked for a third of the lease', async () => {
    const bus = w.bus()
    bus.consume(
      'orders.paid',
      () => {
        const until = performance.now() + 250
        while (performance.now() < until);
      },
      { lease: 600 },
    )
    await bus.publish('orders.paid', 1)
    const line = await w.log.first(({ blockedMs }) => blockedMs !== undefined)
    expect(line).to.include({ level: 40, leaseMs: 600, topic: 'orders.paid', group: 'test' })
    expect(line.msg).to.contain('sandbox')
  })

  it('says which message and attempt it logs about, and nothing of its body', async () => {
    const bus = w.bus()
    bus.consume(
      'orders.paid',
      (_message, { log }) => {
        log.info('from the handler')
        throw new Error('no')
      },
      { retry: { attempts: 2, delay: 1 } },
    )
    const { id } = await bus.publish('orders.paid', { card: 'secret' })
    const expected = { service: 'test', topic: 'orders.paid', group: 'test', messageId: id }
    expect(await w.log.first(({ level }) => level === 40)).to.include({ ...expected, attempt: 1 })
    const dead = await w.log.first(({ level }) => level === 50)
    expect(dead).to.include({ ...expected, attempt: 2, reason: 'attempts' })
    expect(JSON.stringify(dead)).to.contain('subscription.test')
    expect(await w.log.first(({ msg }) => msg === 'from the handler')).to.include(expected)
    expect(JSON.stringify(w.log.items)).to.not.contain('secret')
  })

  it('that is closed before it was ready tells so, and crashes nothing', async () => {
    const bus = w.bus({ redis: 'redis://127.0.0.1:1' })
    const subscription = bus.consume('orders.paid', () => {})
    const report = await subscription.close({ timeout: 100 })
    expect(report).to.deep.equal({ released: 0, abandoned: [], unanswered: 0 })
    const code = await subscription.ready.then(
      () => 'ready',
      (error) => error.code,
    )
    expect(code).to.equal('BUS_CLOSED')
  })

  it('refuses to publish for a run that has ended', async () => {
    const bus = w.bus()
    const codes = new Received<unknown>()
    bus.consume('orders.paid', (_message, { publish }) => {
      setImmediate(() => publish('orders.other', 1).catch(({ code }) => codes.add(code)))
    })
    await bus.publish('orders.paid', 1)
    expect(await codes.count(1)).to.deep.equal(['LEASE_LOST'])
  })

  it('shows a message whole where it is printed or written as JSON', async () => {
    const bus = w.bus()
    const shown = new Received<Record<string, unknown>>()
    bus.consume('orders.paid', (message) => shown.add(JSON.parse(JSON.stringify(message))))
    const { id } = await bus.publish('orders.paid', { a: 1 }, { key: 'k', headers: { h: 'v' }, type: 't' })
    const [message] = await shown.count(1)
    expect(message).to.include({ id, topic: 'orders.paid', type: 't', source: 'test', key: 'k', attempt: 1 })
    expect(message).to.deep.include({ body: { a: 1 }, headers: { h: 'v' }, redelivered: false })
  })
})
