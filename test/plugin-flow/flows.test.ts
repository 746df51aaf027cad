import { type Bus, createBus, type Message, UnrecoverableError } from '@busway/bus'
import { type FlowNode, type FlowOptions, flow } from '@busway/plugin-flow'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { world } from '../support/world.js'

const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('flows', () => {
  const w = world()
  const flowing = (options: FlowOptions = {}) => {
    const { server, namespace, log } = w
    const plugins = [flow(options)] as const
    const bus = createBus({ service: 'reports', redis: server.url, namespace, logger: log.logger, plugins })
    bus.on('error', () => {})
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  type Flowing = ReturnType<typeof flowing>
  const part = (n: number, more: object = {}): FlowNode => ({ topic: 'parts', body: n, ...more })
  const whole = (children: readonly (FlowNode | string)[], more: object = {}): FlowNode => ({
    topic: 'whole',
    body: 'all',
    children,
    ...more,
  })
  /** Handles parts by doubling them, in a bus without the plugin. */
  const doubling = (bus: Pick<Bus, 'consume'> = w.bus()) => bus.consume('parts', ({ body }) => Number(body) * 2).ready
  const assembling = async (bus: Flowing) => {
    const received = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) => received.add((await ctx.children()).map(({ result }) => result))).ready
    return received
  }
  const ended = (bus: Flowing, id: string) =>
    eventually(w, `the end of flow ${id}`, async () => {
      const known = await bus.flows.get(id)
      return known !== null && known.state !== 'open' ? known : undefined
    })

  it('handle a parent once its children have ended, with their results, in processes that know nothing of flows', async () => {
    const bus = flowing()
    const gate = new Gate()
    await w.bus().consume('parts', async ({ body }) => {
      if (body === 2) await gate.opened
      return Number(body) * 2
    }).ready
    const received = await assembling(bus)
    const receipt = await bus.flows.publish(whole([part(1), part(2), part(3)]), { id: 'day' })
    expect(receipt).to.deep.equal({ id: 'day', status: 'accepted', messages: 4 })
    await eventually(w, 'two parts', async () => {
      const known = await bus.flows.get('day')
      return known?.root.children.filter(({ state }) => state === 'done').length === 2 ? true : undefined
    })
    expect(received.items).to.deep.equal([])
    expect(String(await bus.flows.get('day'))).to.equal(
      ['flow day: open', '  whole: waiting', '    parts: done', '    parts: published', '    parts: done'].join('\n'),
    )
    gate.open()
    expect(await received.count(1)).to.deep.equal([[2, 4, 6]])
    const { root } = await ended(bus, 'day')
    expect(root).to.deep.include({ state: 'done', topic: 'whole' })
  })

  it('tell a parent of its children while Redis is full: what it ends makes room', async () => {
    const bus = flowing()
    await doubling()
    const began = new Gate()
    const isFull = new Gate()
    const results = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) => {
      began.open()
      await isFull.opened
      results.add((await ctx.children()).map(({ result }) => result))
    }).ready
    await bus.flows.publish(whole([part(1), part(2)]))
    await began.opened
    await w.redis.config('SET', 'maxmemory', 1)
    try {
      isFull.open()
      expect(await results.count(1)).to.deep.equal([[2, 4]])
    } finally {
      await w.redis.config('SET', 'maxmemory', 0)
    }
  })

  it('are trees of any depth, and graphs by names', async () => {
    const bus = flowing()
    await doubling()
    const middle = new Received<unknown>()
    await bus.consume('middle', async (_, ctx) => {
      const sum = (await ctx.children()).reduce((total, { result }) => total + Number(result), 0)
      middle.add(sum)
      return sum
    }).ready
    const received = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) =>
      received.add((await ctx.children()).map(({ name, result }) => ({ name, result }))),
    ).ready
    const shared = part(5, { name: 'shared' })
    const { id } = await bus.flows.publish(
      whole([
        { topic: 'middle', body: null, name: 'left', children: [part(1), shared] },
        { topic: 'middle', body: null, name: 'right', children: [part(2), 'shared'] },
        'shared',
      ]),
    )
    expect(await received.count(1)).to.deep.equal([
      [
        { name: 'left', result: 12 },
        { name: 'right', result: 14 },
        { name: 'shared', result: 10 },
      ],
    ])
    await ended(bus, id)
    expect(middle.items.sort()).to.deep.equal([12, 14])
  })

  it('are published with the options of each message, under ids that name them', async () => {
    const bus = flowing()
    const received = new Received<Message>()
    await w.bus().consume('parts', (message) => received.add(message)).ready
    await bus.flows.publish(part(1, { key: 'a', headers: { from: 'test' }, priority: 2, type: 'part' }), { id: 'one' })
    const [message] = await received.count(1)
    expect(message).to.include({ id: 'one/0', key: 'a', type: 'part', body: 1 })
    expect(message?.headers).to.include({ from: 'test' })
    await ended(bus, 'one')
  })

  it('of an id that there is already are duplicates', async () => {
    const bus = flowing()
    const received = new Received<unknown>()
    await w.bus().consume('parts', ({ body }) => received.add(body)).ready
    expect(await bus.flows.publish(part(1), { id: 'same' })).to.include({ status: 'accepted' })
    expect(await bus.flows.publish(part(2), { id: 'same' })).to.include({ status: 'duplicate' })
    await ended(bus, 'same')
    expect(received.items).to.deep.equal([1])
  })

  describe('whose child fails', () => {
    const failing = async () => {
      const bus = flowing()
      const consumer = w.bus()
      let heals = false
      await consumer.consume('parts', ({ body }) => {
        if (Number(body) < 0 && !heals) throw new UnrecoverableError('no such part')
        return body
      }).ready
      return { bus, consumer, heal: () => (heals = true) }
    }

    it('fail at once, all the way up, while others have not ended', async () => {
      const { bus } = await failing()
      await bus.consume('never', () => new Promise((resolve) => w.atEnd(async () => resolve(undefined)))).ready
      const received = await assembling(bus)
      const { id } = await bus.flows.publish(
        whole([{ topic: 'middle', body: 0, children: [part(-1), { topic: 'never', body: 0 }] }, part(3)]),
      )
      const known = await ended(bus, id)
      expect(known.state).to.equal('failed')
      expect(known.root.state).to.equal('failed')
      expect(known.root.children[0]).to.deep.include({ topic: 'middle', state: 'failed' })
      expect(known.root.children[0]?.children[0]).to.deep.include({
        state: 'failed',
      })
      expect(String(known)).to.contain('parts: failed, UnrecoverableError: no such part')
      expect(received.items).to.deep.equal([])
      expect((await bus.topic('whole').stats()).unclaimed).to.equal(0)
    })

    it('go on with what has failed, if the policy is to continue', async () => {
      const { bus } = await failing()
      const received = new Received<unknown>()
      await bus.consume('whole', async (_, ctx) =>
        received.add(
          (await ctx.children()).map(({ outcome, result, error }) => ({ outcome, result, why: error?.message })),
        ),
      ).ready
      await bus.flows.publish(whole([part(-1), part(2)], { onChildFailure: 'continue' }))
      expect(await received.count(1)).to.deep.equal([
        [
          { outcome: 'failed', result: undefined, why: 'no such part' },
          { outcome: 'done', result: 2, why: undefined },
        ],
      ])
    })

    it('follow the policy of the child where it has one', async () => {
      const { bus } = await failing()
      const received = await assembling(bus)
      await bus.flows.publish(whole([part(-1, { onFailure: 'continue' }), part(2)]))
      expect(await received.count(1)).to.deep.equal([[undefined, 2]])
      const { id } = await bus.flows.publish(
        whole([part(-1, { onFailure: 'fail' }), part(2)], { onChildFailure: 'continue' }),
      )
      expect((await ended(bus, id)).state).to.equal('failed')
    })

    it('wait for its dead letter to be redriven, if the policy is to wait', async () => {
      const { bus, consumer, heal } = await failing()
      const received = await assembling(bus)
      const { id } = await bus.flows.publish(whole([part(-1), part(2)], { onChildFailure: 'wait' }))
      await eventually(w, 'a dead child', async () =>
        (await bus.flows.get(id))?.root.children[0]?.state === 'dead' ? true : undefined,
      )
      heal()
      await consumer.topic('parts').group('test').redrive('all')
      expect(await received.count(1)).to.deep.equal([[-1, 2]])
      expect((await ended(bus, id)).state).to.equal('done')
    })

    it('fail by what can never come back, also if they wait', async () => {
      const bus = flowing()
      const consumer = w.bus()
      await consumer.consume('parts', () => {}, { concurrency: 1 }).ready
      await consumer.topic('parts').group('test').pause()
      const { id } = await bus.flows.publish(whole([part(1)], { onChildFailure: 'wait' }))
      await eventually(w, 'the child', async () => ((await bus.topic('parts').message(`${id}/0`)) ? true : undefined))
      await bus.topic('parts').cancel(`${id}/0`)
      expect((await ended(bus, id)).state).to.equal('failed')
    })
  })

  it('wait for all groups of a child, or for the one that it names', async () => {
    const bus = flowing()
    const slow = new Gate()
    await w.bus().consume('parts', () => 'fast', { group: 'fast' }).ready
    await w.bus().consume('parts', () => slow.opened.then(() => 'slow'), { group: 'slow' }).ready
    const received = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) => received.add((await ctx.children())[0]?.results.map((r) => r.result)))
      .ready
    await bus.flows.publish(whole([part(1, { group: 'fast' })]))
    expect(await received.count(1)).to.deep.equal([['fast']])
    await bus.flows.publish(whole([part(1)]))
    await eventually(w, 'the fast group', async () =>
      (await bus.topic('parts').stats()).groups.fast?.inFlight === 0 ? true : undefined,
    )
    expect(received.items).to.have.length(1)
    slow.open()
    expect((await received.count(2))[1]).to.have.members(['fast', 'slow'])
  })

  it('let a handler add children, and handle its message again when those have ended', async () => {
    const bus = flowing()
    await doubling()
    const runs: unknown[] = []
    const received = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) => {
      const children = await ctx.children()
      runs.push(children.map(({ result }) => result))
      if (children.length < 4) return ctx.waitFor([part(10 + children.length), part(20 + children.length)])
      received.add(children.length)
      return 'enough'
    }).ready
    const { id } = await bus.flows.publish(whole([], {}))
    await received.count(1)
    expect(runs).to.deep.equal([[], [20, 40], [20, 40, 24, 44]])
    const { state, root } = await ended(bus, id)
    expect(state).to.equal('done')
    expect(root.children).to.have.length(4)
  })

  it('let a handler add again what was lost before it settled', async () => {
    const bus = flowing()
    await doubling()
    const runs = new Received<number>()
    await bus.consume('whole', async (_, ctx) => {
      const children = await ctx.children()
      runs.add(children.length)
      if (children.length > 0) return
      const added = await ctx.waitFor([part(1)])
      // As by a failover: the first time all of it, the second time a piece.
      const draft = `${w.namespace}:{$flow}:x:flow:draft:${added['busway.flow']}`
      if (runs.items.length === 1) await w.redis.del(draft)
      if (runs.items.length === 2) await w.redis.hdel(draft, 'b0')
      return added
    }).ready
    const { id } = await bus.flows.publish(whole([]))
    expect(await runs.count(4)).to.deep.equal([0, 0, 0, 1])
    expect((await ended(bus, id)).state).to.equal('done')
  })

  it('tell a handler nothing of children that a server forgot to have ended, or of a flow that it forgot', async () => {
    const bus = flowing()
    await doubling()
    const told = new Received<unknown>()
    await bus.consume('whole', async (_, ctx) => {
      const key = `${w.namespace}:{$flow}:x:flow:flow:rolled`
      const asked = () => ctx.children().catch(({ code, message }) => `${code} ${message}`)
      await w.redis.hset(key, 's0', 'r')
      told.add(await asked())
      const kept = await w.redis.dumpBuffer(key)
      await w.redis.del(key)
      told.add(await asked())
      await w.redis.restore(key, 60_000, kept)
    }).ready
    await bus.flows.publish(whole([part(1)]), { id: 'rolled' })
    const [notEnded, gone] = await told.count(2)
    expect(notEnded).to.match(/^LEASE_LOST ctx.children: rolled\/0 has not ended, .*rolled back/)
    expect(gone).to.match(/^UNKNOWN_MESSAGE ctx.children: the flow rolled is not there any more/)
  })

  it('fail with the children that a handler added', async () => {
    const bus = flowing()
    await w.bus().consume('parts', () => {
      throw new UnrecoverableError('no')
    }).ready
    await bus.consume('whole', (_, ctx) => ctx.waitFor([part(1)])).ready
    const { id } = await bus.flows.publish(whole([]))
    expect((await ended(bus, id)).state).to.equal('failed')
  })

  it('can be cancelled: what waits ends, and nothing more is published', async () => {
    const bus = flowing()
    const received = await assembling(bus)
    const { id } = await bus.flows.publish(whole(numbers(150).map((n) => part(n))))
    await eventually(w, 'all parts', async () =>
      (await bus.topic('parts').stats()).unclaimed === 150 ? true : undefined,
    )
    expect(await bus.flows.cancel(id)).to.equal(true)
    expect(await bus.flows.cancel(id)).to.equal(false)
    await eventually(w, 'no part', async () => ((await bus.topic('parts').stats()).unclaimed === 0 ? true : undefined))
    expect((await bus.flows.get(id))?.state).to.equal('cancelled')
    expect(received.items).to.deep.equal([])
  })

  it('that are open are abandoned when nothing is heard of them for so long, and each end puts that off', async () => {
    const hour = 3_600_000
    const bus = flowing({ abandonAfter: '1h', keep: '2h' })
    const gates = [new Gate(), new Gate()]
    await w.bus().consume('parts', async ({ body }) => gates[Number(body)]?.opened).ready
    await bus.consume('whole', async (_, ctx) => {
      if ((await ctx.children()).length < 2) return ctx.waitFor([part(1)])
    }).ready
    const key = (id: string) => `${w.namespace}:{$flow}:x:flow:flow:${id}`
    const remaining = (id: string) => w.redis.pttl(key(id))
    const { id } = await bus.flows.publish(whole([part(0)]))
    expect(await remaining(id)).to.be.within(1, hour)
    // As if most of it had gone by.
    await w.redis.pexpire(key(id), 100_000)
    gates[0]?.open()
    const added = `${id}/1~1`
    await eventually(w, 'what the handler added', async () =>
      (await w.redis.hget(key(added), 's0')) === 'r' ? true : undefined,
    )
    for (const flow of [id, added]) expect(await remaining(flow)).to.be.within(100_001, hour)
    gates[1]?.open()
    await ended(bus, id)
    expect(await remaining(id)).to.be.within(hour + 1, 2 * hour)
  })

  it('of 10,000 children end with all their results, and no script that takes long', async () => {
    const bus = flowing()
    await doubling(w.bus())
    const received = await assembling(bus)
    await bus.flows.publish(whole(numbers(10_000).map((n) => part(n))))
    const [results] = await received.count(1, 150_000)
    expect(results).to.deep.equal(numbers(10_000).map((n) => n * 2))
  }).timeout(180_000)

  it('that are no flows are refused before anything is written', async () => {
    const bus = flowing()
    const refusals: [unknown, string][] = [
      [{ body: 1 }, 'should have a topic'],
      [whole(['nobody']), 'no node is named "nobody"'],
      [whole([part(1, { name: 'a' }), part(2, { name: 'a' })]), 'two nodes named "a"'],
      [whole([{ topic: 'x', body: 0, name: 'x', children: ['x'] }]), 'waits for itself'],
      [whole([part(1, { id: 'mine' })]), 'ids of their own'],
      [whole([part(1, { prioritty: 1 })]), 'no option "prioritty"'],
      [whole([part(1)], { onChildFailure: 'perhaps' }), "'fail', 'continue' or 'wait'"],
      [whole([part(1, { group: 'a b' })]), 'its group'],
      [whole([part(1, { delay: 'soon' })]), 'delay'],
    ]
    for (const [given, message] of refusals) {
      const error = await failure(bus.flows.publish(given as FlowNode))
      expect(error).to.include({ code: 'INVALID_OPTIONS' })
      expect(error.message).to.contain(message)
    }
    expect(await failure(bus.flows.publish({ topic: 'a b', body: 1 }))).to.include({ code: 'INVALID_TOPIC' })
    expect(await failure(bus.flows.publish({ topic: 'ok', body: 1n }))).to.include({ code: 'INVALID_BODY' })
    expect(await failure(bus.flows.publish(part(1), { id: 'a/b' }))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await bus.flows.get('none')).to.equal(null)
    expect(await bus.flows.cancel('none')).to.equal(false)
    const ofNone = new Received<unknown>()
    await bus.consume('plain', async (_, ctx) =>
      ofNone.add([await ctx.children(), await failure(ctx.waitFor([part(1)]))]),
    ).ready
    await bus.publish('plain', 1)
    const [[children, error]] = (await ofNone.count(1)) as [[unknown, Error & { code: string }]]
    expect(children).to.deep.equal([])
    expect(error.code).to.equal('INVALID_OPTIONS')
  })
})
