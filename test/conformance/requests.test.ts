/** Request and reply: what `bus.request` resolves and rejects with, whoever answers, and whatever happens on the way. */
import { createBus, defineTopics, RequestError, type StandardSchemaV1, type } from '@busway/bus'
import { expect } from 'chai'
import { connectionsOf } from '../support/connections.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

interface Answer {
  body: { n: number }
  by: number
}
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const failure = (promise: Promise<unknown>): Promise<RequestError> =>
  promise.then(
    (value) => expect.fail(`it should have rejected, and resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )

conformance('a request', (world) => {
  const subscribers = async (topic: string): Promise<number> => {
    const channels = (await world.redis.pubsub('CHANNELS', `${world.namespace}:{${topic}}:reply:*`)) as string[]
    return channels.length
  }
  const repliesOf = (topic: string) => world.redis.keys(`${world.namespace}:{${topic}}:replies:*`)

  it('resolves with what the handler returns', async () => {
    const bus = world.bus()
    bus.consume('fares.quote', ({ body }) => ({ price: (body as { km: number }).km * 2 }))
    expect(await bus.request('fares.quote', { km: 21 })).to.deep.equal({ price: 42 })
    await bus.close()
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('resolves with whatever JSON can say, and with undefined for nothing', async () => {
    const bus = world.bus()
    const results = [null, 0, '', false, [], 'é"\\', { a: [1, { b: null }] }, undefined]
    bus.consume('echo', ({ body }) => results[body as number])
    for (const [n, result] of results.entries()) expect(await bus.request('echo', n)).to.deep.equal(result)
  })

  it('never gets the reply of another, however many processes ask and answer', async function () {
    this.timeout(60_000)
    const consume = { concurrency: 50 }
    const back = { topic: 'back', behaviour: 'answer', consume } as const
    const front = { topic: 'front', behaviour: 'forward', outputTopic: 'back', consume } as const
    const workers = await Promise.all([back, back, front, front].map((setup) => world.worker(setup)))
    const buses = [world.bus(), world.bus()]
    const asked = numbers(400).map(async (n) => {
      const bus = buses[n % 2] as (typeof buses)[0]
      const answer = (await bus.request(n % 4 < 2 ? 'front' : 'back', { n }, { timeout: '30s' })) as Answer
      return { n, answer }
    })
    const answered = await Promise.all(asked)
    for (const { n, answer } of answered) expect(answer.body).to.deep.equal({ n })
    expect(new Set(answered.map(({ answer }) => answer.by))).to.deep.equal(
      new Set(workers.slice(0, 2).map(({ pid }) => pid)),
    )
    await Promise.all(workers.map((worker) => worker.kill()))
  })

  it("rejects with the handler's error, from another process", async () => {
    await world.worker({ topic: 'fares.quote', behaviour: 'answer', consume: { retry: false } })
    const error = await failure(world.bus().request('fares.quote', { fail: true }))
    expect(error).to.be.instanceOf(RequestError)
    expect(error).to.include({ code: 'REQUEST_FAILED', outcome: 'dead', message: 'no such fare' })
    expect(error.handlerError).to.deep.equal({ name: 'RangeError', message: 'no such fare' })
  })

  it('hears of an error only when retries are over', async () => {
    const bus = world.bus()
    const attempts: number[] = []
    const failsUntil = (last: number) => (message: { attempt: number }) => {
      attempts.push(message.attempt)
      if (message.attempt < last) throw Object.assign(new Error(`attempt ${message.attempt}`), { code: 'E_BUSY' })
      return 'at last'
    }
    bus.consume('heals', failsUntil(3), { retry: { attempts: 5, delay: 1 } })
    bus.consume('fails', failsUntil(9), { retry: { attempts: 2, delay: 1 } })
    expect(await bus.request('heals', 1)).to.equal('at last')
    expect(attempts).to.deep.equal([1, 2, 3])
    const error = await failure(bus.request('fails', 1))
    expect(error.handlerError).to.deep.equal({ name: 'Error', message: 'attempt 2', code: 'E_BUSY' })
  })

  it('times out, and what comes later is dropped and leaves nothing behind', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const settled = new Received<unknown>()
    await bus.consume('slow', async ({ body }) => {
      if (body === 'late') await gate.opened
      settled.add(body)
      return body
    }).ready
    // Long enough for it to begin.
    const error = await failure(bus.request('slow', 'late', { timeout: 500 }))
    expect(error).to.include({ code: 'REQUEST_TIMEOUT' })
    expect(error.message).to.match(/^No reply from slow within 500 ms\./)
    gate.open()
    await settled.count(1)
    expect(await bus.request('slow', 'next')).to.equal('next')
    await bus.close()
    expect(await repliesOf('slow')).to.deep.equal([])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('is not begun any more when nobody waits for it', async () => {
    const bus = world.bus()
    const started = new Received<unknown>()
    expect(await failure(bus.request('slow', 'late', { timeout: 20 }))).to.include({ code: 'REQUEST_TIMEOUT' })
    // Redis' clock is known to within a round trip.
    await failure(bus.request('nobody', 1, { timeout: 500 }))
    bus.consume('slow', ({ body }) => started.add(body))
    await bus.request('slow', 'next')
    expect(started.items).to.deep.equal(['next'])
  })

  it('times out where nobody consumes', async () => {
    const error = await failure(world.bus().request('nobody', 1, { timeout: '50ms' }))
    expect(error).to.include({ code: 'REQUEST_TIMEOUT' })
  })

  it('is answered by another when its responder is killed', async function () {
    this.timeout(60_000)
    const setup = { topic: 'fares.quote', behaviour: 'answer', consume: { lease: 1000 } } as const
    const first = await world.worker(setup)
    const reply = world.bus().request('fares.quote', { n: 1, hold: true }, { timeout: '30s' }) as Promise<Answer>
    await first.until('started')
    const second = await world.worker(setup)
    await first.kill()
    await second.until('started')
    second.tell({ do: 'release' })
    expect((await reply).by).to.equal(second.pid)
  })

  it('gets a reply that came while its connections were gone, and those that come after', async () => {
    const proxy = await world.proxy()
    const requester = world.bus({ redis: proxy.redis })
    const gate = new Gate()
    const started = new Received<unknown>()
    const responder = world.bus()
    responder.consume('fares.quote', async ({ body }) => {
      started.add(body)
      await gate.opened
      return body
    })
    const replies = numbers(150).map((n) => requester.request('fares.quote', n))
    await started.count(1)
    await eventually(world, 'all requests', async () => {
      const { ready, inFlight } = await responder.topic('fares.quote').group('test').stats()
      return ready + inFlight === 150 ? true : undefined
    })
    await proxy.down()
    while ((await subscribers('fares.quote')) > 0);
    gate.open()
    await eventually(world, 'replies to be kept', async () => (await repliesOf('fares.quote'))[0])
    await started.count(150)
    await proxy.up()
    expect(await Promise.all(replies)).to.deep.equal(numbers(150))
    expect(await requester.request('fares.quote', 'after')).to.equal('after')
    expect(await repliesOf('fares.quote')).to.deep.equal([])
  })

  it('goes on being answered when the subscribed connection alone was cut', async () => {
    const proxy = await world.proxy()
    const requester = world.bus({ redis: proxy.redis })
    world.bus().consume('echo', ({ body }) => body)
    expect(await requester.request('echo', 1)).to.equal(1)
    for (let n = 0; n < 5; n++) {
      const back = proxy.connected()
      proxy.cut('subscribers')
      await back
      expect(await requester.request('echo', n)).to.equal(n)
    }
  })

  it('keeps no reply beyond its timeout for a requester that is gone', async () => {
    const requester = world.bus()
    const gate = new Gate()
    const responder = world.bus()
    responder.consume('echo', async ({ body }) => {
      await gate.opened
      return body
    })
    const error = failure(requester.request('echo', 1, { timeout: 1500 }))
    await eventually(world, 'a lease', async () =>
      (await responder.topic('echo').stats()).groups.test?.inFlight === 1 ? true : undefined,
    )
    await requester.close()
    expect(await error).to.include({ code: 'BUS_CLOSED' })
    gate.open()
    const key = await eventually(world, 'the reply', async () => (await repliesOf('echo'))[0])
    expect(await world.redis.pttl(key)).to.be.within(0, 1500)
    await responder.close()
  })

  it('is answered by the first group that returns something, whatever the others do', async () => {
    const bus = world.bus()
    const audited = new Received<unknown>()
    const gate = new Gate()
    const ready = [
      bus.consume('fares.quote', ({ body }) => audited.add(body), { group: 'audit' }).ready,
      bus.consume('fares.quote', () => Promise.reject(new Error('broken')), { group: 'broken', retry: false }).ready,
      bus.consume('fares.quote', () => gate.opened.then(() => 'answer'), { group: 'fares' }).ready,
    ]
    await Promise.all(ready)
    const reply = bus.request('fares.quote', 1)
    await audited.count(1)
    await eventually(world, 'a dead letter', async () =>
      (await bus.topic('fares.quote').group('broken').stats()).dead === 1 ? true : undefined,
    )
    gate.open()
    expect(await reply).to.equal('answer')
  })

  it('fails where one group failed and no other had anything to say', async () => {
    const bus = world.bus()
    await bus.consume('fares.quote', () => {}, { group: 'audit' }).ready
    await bus.consume('fares.quote', () => Promise.reject(new Error('broken')), { group: 'fares', retry: false }).ready
    expect(await failure(bus.request('fares.quote', 1))).to.include({ message: 'broken', outcome: 'dead' })
  })

  it('fails when its message is purged', async () => {
    const bus = world.bus()
    const subscription = bus.consume('fares.quote', () => 1, { group: 'fares' })
    await subscription.ready
    await subscription.close()
    const reply = failure(bus.request('fares.quote', 1))
    await eventually(world, 'the request', async () =>
      (await bus.topic('fares.quote').group('fares').stats()).ready === 1 ? true : undefined,
    )
    await bus.topic('fares.quote').group('fares').purge()
    const error = await reply
    expect(error).to.include({ code: 'REQUEST_FAILED', outcome: 'purged', handlerError: undefined })
    expect(error.message).to.equal(
      'The request to fares.quote was not answered by the group fares: its message was purged.',
    )
  })

  it('fails, and its message is done, when the result is too large or no JSON', async () => {
    const bus = world.bus()
    bus.consume('large', () => 'x'.repeat(300_000))
    bus.consume('circular', () => {
      const circle: { self?: unknown } = {}
      circle.self = circle
      return circle
    })
    const large = await failure(bus.request('large', 1))
    expect(large).to.include({ outcome: 'done' })
    expect(large.message).to.match(/^The handler's result has 300002 bytes, 262144 can be told/)
    expect((await failure(bus.request('circular', 1))).message).to.match(/cannot be written as JSON/)
    expect((await bus.topic('large').group('test').stats()).dead).to.equal(0)
  })

  it("gives what the topic's reply schema makes of the reply, or says what does not fit", async () => {
    const price: StandardSchemaV1<unknown, Date> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          typeof value === 'string'
            ? { value: new Date(value) }
            : { issues: [{ message: 'is no date', path: ['at'] }] },
      },
    }
    const topics = defineTopics({ now: { body: type<{ zone: string }>(), reply: price } })
    const { server, namespace } = world
    await using bus = createBus({ service: 'test', topics, redis: server.url, namespace, logger: false })
    const answers: unknown[] = [new Date(0), 7]
    bus.consume('now', () => answers.shift() as Date)
    expect(await bus.request('now', { zone: 'UTC' })).to.deep.equal(new Date(0))
    const error = await failure(bus.request('now', { zone: 'UTC' }))
    expect(error).to.include({ code: 'REQUEST_FAILED' })
    expect(error.message).to.equal('The reply for now does not fit its schema: reply.at: is no date.')
  })

  it('is refused as a duplicate of one that another waits for', async () => {
    const bus = world.bus()
    const gate = new Gate()
    bus.consume('fares.quote', () => gate.opened.then(() => 1))
    const first = bus.request('fares.quote', 1, { id: 'quote-7' })
    const second = await failure(bus.request('fares.quote', 1, { id: 'quote-7' }))
    expect(second).to.include({ code: 'PUBLISH_REJECTED' })
    expect(second.details).to.deep.equal({ reason: 'duplicate', duplicateOf: 'quote-7' })
    gate.open()
    expect(await first).to.equal(1)
  })

  it('ends with its signal, with a wrong option, and with its bus', async () => {
    const bus = world.bus()
    const controller = new AbortController()
    const aborted = failure(bus.request('nobody', 1, { signal: controller.signal }))
    controller.abort(new Error('enough'))
    expect((await aborted).message).to.equal('enough')
    expect((await failure(bus.request('nobody', 1, { signal: controller.signal }))).message).to.equal('enough')
    expect(await failure(bus.request('nobody', 1, { timeout: -1 }))).to.include({ code: 'INVALID_OPTIONS' })
    expect((await failure(bus.request('nobody', 1, { timout: 1 } as object))).message).to.match(/timout/)
    expect((await failure(bus.request('nobody', 1, { signal: 5 } as object))).message).to.match(/signal/)
    expect(await failure(bus.request('no body', 1))).to.include({ code: 'INVALID_TOPIC' })
    const open = failure(bus.request('nobody', 1))
    await bus.close()
    expect(await open).to.include({ code: 'BUS_CLOSED' })
    expect(await failure(bus.request('nobody', 1))).to.include({ code: 'BUS_CLOSED' })
  })

  it('may be made by a handler that answers one itself, in the same bus, also while it closes', async () => {
    const bus = world.bus()
    const gate = new Gate()
    const started = new Received<unknown>()
    await world.bus().consume('inner', ({ body }) => `inner ${body}`).ready
    bus.consume('outer', async ({ body }) => {
      started.add(body)
      await gate.opened
      return `outer ${await bus.request('inner', body)}`
    })
    const reply = world.bus().request('outer', 1)
    await started.count(1)
    const closing = bus.close()
    gate.open()
    expect(await reply).to.equal('outer inner 1')
    await closing
  })

  it('needs no third connection', async () => {
    const bus = world.bus({ service: 'counted' })
    bus.consume('echo', ({ body }) => body)
    await Promise.all(numbers(20).map((n) => bus.request('echo', n)))
    await Promise.all(numbers(20).map((n) => failure(bus.request(`other.${n}`, 1, { timeout: 50 }))))
    expect(Math.max(...(await connectionsOf(world, 'counted')))).to.equal(2)
  })
})
