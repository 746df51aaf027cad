import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { namespaceIsClean, type World } from '../support/world.js'
import { conformance } from './suite.js'

const TOPIC = 'orders.paid'
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from)

conformance('consumers that come, pause and go', (world: World) => {
  it('added later have their part of what waits', async () => {
    const [first, second] = [world.bus(), world.bus()]
    const ran = { first: new Received<unknown>(), second: new Received<unknown>() }
    const gates = numbers(300).map(() => new Gate())
    const consume = (bus: typeof first, seen: Received<unknown>) =>
      bus.consume(
        TOPIC,
        async ({ body }) => {
          seen.add(body)
          await gates[body as number]?.opened
        },
        { concurrency: 5 },
      ).ready
    await consume(first, ran.first)
    await first.publishBatch(
      TOPIC,
      numbers(300).map((body) => ({ body })),
    )
    await ran.first.count(5)
    await consume(second, ran.second)
    // While the first is busy with five, the second has five others: nothing waits behind the first.
    await ran.second.count(5)
    expect([...ran.first.items, ...ran.second.items]).to.have.members(numbers(10))
    for (const gate of gates) gate.open()
    await eventually(world, 'all to run', () =>
      ran.first.items.length + ran.second.items.length === 300 ? true : undefined,
    )
    expect(ran.second.items.length).to.be.at.least(20)
    await Promise.all([first.close(), second.close()])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('start nothing while their group is paused, however often it is paused while they fetch', async () => {
    const bus = world.bus()
    const group = bus.topic(TOPIC).group('test')
    const seen = new Received<number>()
    let isPaused = false
    const late: number[] = []
    await bus.consume(
      TOPIC,
      ({ body }) => {
        if (isPaused) late.push(body as number)
        seen.add(body as number)
      },
      { concurrency: 3 },
    ).ready
    const publisher = world.bus()
    let published = 0
    for (const _ of numbers(15)) {
      const receipts = numbers(40).map(() => publisher.publish(TOPIC, published++))
      await seen.until((items) => items.length >= published - 35, 'the group to be at work')
      await group.pause()
      // What was handed over before may still run.
      await eventually(world, 'what is in flight to end', async () => {
        const { inFlight } = await group.stats()
        return inFlight === 0 ? true : undefined
      })
      isPaused = true
      await Promise.all(receipts)
      await publisher.publish(TOPIC, published++)
      expect((await group.stats()).ready).to.be.at.least(1)
      isPaused = false
      await group.resume()
    }
    const all = await seen.count(published)
    expect(late).to.deep.equal([])
    expect([...all].sort((a, b) => a - b)).to.deep.equal(numbers(published))
  })

  it('that close while they reconnect end in time, and what they had is handled by others', async () => {
    const proxy = await world.proxy()
    const closing = world.bus({ redis: proxy.redis })
    const [gate, started] = [new Gate(), new Received<unknown>()]
    await closing.consume(
      TOPIC,
      async ({ body }) => {
        started.add(body)
        await gate.opened
      },
      { concurrency: 2, lease: 500 },
    ).ready
    const bus = world.bus()
    for (const n of numbers(6)) await bus.publish(TOPIC, n)
    await started.count(2)
    await proxy.down()
    const closed = closing.close({ timeout: 300 })
    const report = await closed
    expect(report.abandoned).to.have.length(2)
    await proxy.up()
    gate.open()
    const others = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => others.add(body), { lease: 500 }).ready
    expect(await others.count(6)).to.have.members(numbers(6))
  })

  it('that close while they reconnect settle what ended, if the connection is back in time', async () => {
    const proxy = await world.proxy()
    const closing = world.bus({ redis: proxy.redis })
    const [gate, started] = [new Gate(), new Received<unknown>()]
    await closing.consume(TOPIC, async ({ body }) => {
      started.add(body)
      await gate.opened
    }).ready
    const bus = world.bus()
    await bus.publish(TOPIC, 1)
    await started.count(1)
    await proxy.down()
    const closed = closing.close({ timeout: 20_000 })
    gate.open()
    await proxy.up()
    expect((await closed).abandoned).to.deep.equal([])
    await namespaceIsClean(world.redis, world.namespace)
  })

  it('of one group, limited to one message, keep its order when one is killed with kill -9', async function () {
    this.timeout(60_000)
    const list = `recorded:${world.namespace}`
    const consume = { group: 'ledger', concurrency: 4, groupConcurrency: 1, lease: 1500 }
    const setup = { topic: TOPIC, behaviour: 'ack', workMs: 5, recordTo: list, consume } as const
    const workers = await Promise.all(numbers(2).map(() => world.worker(setup)))
    const bus = world.bus()
    const receipts = await bus.publishBatch(
      TOPIC,
      numbers(120).map((body) => ({ body })),
    )
    const lines = async () => (await world.redis.lrange(list, 0, -1)).map((line) => line.split(' '))
    const entries = (count: number) =>
      eventually(world, `${count} runs`, async () => ((await world.redis.llen(list)) >= 2 * count ? true : undefined))
    await entries(20)
    const running = (await lines()).at(-1)?.[2]
    const victim = workers.find(({ pid }) => String(pid) === running) ?? (workers[0] as (typeof workers)[0])
    await victim.kill()
    await eventually(world, 'all settled', async () => {
      const { ready, inFlight, retrying } = await bus.topic(TOPIC).group('ledger').stats()
      return ready + inFlight + retrying === 0 ? true : undefined
    })
    const ended = (await lines()).filter(([what]) => what === 'end').map(([, id]) => id)
    expect([...new Set(ended)]).to.deep.equal(receipts.map(({ id }) => id))
    await world.redis.del(list)
  })
})
