import { type Bus, createBus, defineTopics, type } from '@busway/bus'
import { idle, NotIdleError } from '@busway/testing'
import { expect } from 'chai'
import { Gate } from '../support/received.js'
import { world } from '../support/world.js'

const failure = (promise: Promise<unknown>): Promise<NotIdleError> =>
  promise.then(
    () => expect.fail('it should have rejected'),
    (error) => error,
  )

describe('idle', function () {
  this.timeout(30_000)
  const here = world()

  it('waits for what handlers publish, over as many topics as it takes', async () => {
    const bus = here.bus()
    const ended: string[] = []
    bus.consume('a', (_, ctx) => ctx.publish('b', 1))
    bus.consume('b', (_, ctx) => ctx.publish('c', 1))
    bus.consume('c', (message) => void ended.push(message.id))
    await bus.publishBatch(
      'a',
      Array.from({ length: 100 }, () => ({ body: 1 })),
    )
    await idle(bus)
    expect(ended).to.have.length(100)
  })

  it('waits for retries and delays until they are done, and not for dead letters', async () => {
    const bus = here.bus()
    const attempts: number[] = []
    const fails = (message: { attempt: number }): void => {
      attempts.push(message.attempt)
      throw new Error('no')
    }
    bus.consume('a', fails, { retry: { attempts: 3, delay: 20, jitter: 0 } })
    await bus.publish('a', 1, { delay: 50 })
    await idle(bus)
    expect(attempts).to.deep.equal([1, 2, 3])
    expect((await bus.topic('a').group('test').stats()).dead).to.equal(1)
  })

  it('says what is left when the time is up, and what is in its way', async () => {
    const bus = here.bus()
    const gate = new Gate()
    const running = bus.consume('running', () => gate.opened, { group: 'slow' })
    const failing = bus.consume('failing', () => Promise.reject(new Error('no')), { retry: { delay: '1h' } })
    await Promise.all([running.ready, failing.ready])
    const paused = bus.consume('paused', () => {})
    await paused.ready
    await bus.topic('paused').group('test').pause()
    for (const topic of ['running', 'failing', 'paused', 'unclaimed']) await bus.publish(topic, 1)
    await bus.publish('scheduled', 1, { delay: '1h' })
    const error = await failure(idle(bus, undefined, { timeout: 300 }))
    expect(error).to.be.instanceOf(NotIdleError)
    expect(error).to.have.property('code', 'NOT_IDLE')
    expect(error.message).to.match(/^The bus was not idle within 300 ms:\n/)
    expect([...error.left].sort()).to.deep.equal([
      'failing, group test: 1 retrying',
      'paused, group test: 1 ready; the group is paused',
      'running, group slow: 1 in flight',
      'scheduled: 1 scheduled',
      'unclaimed: 1 unclaimed, as no group consumes it',
    ])
    gate.open()
  })

  it('leaves out what it is told to ignore', async () => {
    const bus = here.bus()
    const failing = bus.consume('failing', () => Promise.reject(new Error('no')), { retry: { delay: '1h' } })
    await failing.ready
    await bus.publish('failing', 1)
    await bus.publish('unclaimed', 1)
    await bus.publish('scheduled', 1, { delay: '1h' })
    await idle(bus, undefined, { ignore: ['retrying', 'scheduled', 'unclaimed'] })
    expect((await bus.topic('failing').stats()).groups.test?.retrying).to.equal(1)
  })

  it('waits only for the topics it is given', async () => {
    const bus = here.bus()
    await bus.publish('unclaimed', 1)
    bus.consume('a', () => {})
    await bus.publish('a', 1)
    await idle(bus, ['a'])
    const error = await failure(idle(bus, ['a', 'unclaimed'], { timeout: '50ms' }))
    expect(error.left).to.deep.equal(['unclaimed: 1 unclaimed, as no group consumes it'])
  })

  it('knows nothing of topics that others use and its bus does not define', async () => {
    await here.bus().publish('of-others', 1)
    const topics = defineTopics({ mine: type<number>() })
    await using bus = createBus({
      service: 'test',
      topics,
      redis: here.server.url,
      namespace: here.namespace,
      logger: false,
    })
    bus.consume('mine', () => {})
    await bus.publish('mine', 1)
    await idle(bus)
  })

  it('says so when it is not answered in time, and refuses what is no duration', async () => {
    const silent = { topics: () => new Promise<string[]>(() => {}), topic: () => expect.fail() } as unknown as Bus
    expect((await failure(idle(silent, undefined, { timeout: 20 }))).left).to.deep.equal([
      'the bus has not answered yet',
    ])
    const wrong = await failure(idle(silent, undefined, { timeout: '5 parsecs' as '5s' }))
    expect(wrong.message).to.equal(`"5 parsecs" is no duration: give milliseconds, or text such as '5s'.`)
  })

  it("passes on the bus' own errors", async () => {
    const bus = here.bus()
    await bus.close()
    expect(await failure(idle(bus))).to.have.property('code', 'BUS_CLOSED')
  })
})
