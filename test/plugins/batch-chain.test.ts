/** The chains around a batch handler: `batch` around it, `handle` around each of its deliveries. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { BatchError, type Bus, type ConsumeBatchOptions, type Delivery, type Message, type Plugin } from '@busway/bus'
import { expect } from 'chai'
import { pino } from 'pino'
import { createPlugins } from '../../packages/bus/src/plugins/index.js'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { deadLetters, equipped, extra, plugin } from './equipped.js'
import { refusal } from './refusal.js'

const log = pino({ level: 'silent' })

/** Marks what runs inside it, and how many deliveries it saw. */
const around = (name: string, marks: string[]): Plugin => ({
  name,
  api: 1,
  setup(scope) {
    scope.consume('batch', async (deliveries, next) => {
      marks.push(`${name} of ${deliveries.length}`)
      const result = await next()
      marks.push(`${name} after ${String(result)}`)
      return result
    })
  },
})

const chainOf = (...registered: Plugin[]) => {
  const plugins = createPlugins({ service: 'test', log, topics: {}, bus: {} as Bus, strict: true })
  for (const plugin of registered) plugins.add(plugin)
  return plugins.compose().batch
}

describe('the chain around a batch handler', () => {
  const deliveries = [{}, {}, {}] as unknown as Delivery[]

  it('runs once for all of the batch, the first registered outermost', async () => {
    const marks: string[] = []
    const result = await chainOf(around('outer', marks), around('inner', marks))?.(deliveries, async () => 'handled')
    expect(result).to.equal('handled')
    expect(marks).to.deep.equal(['outer of 3', 'inner of 3', 'inner after handled', 'outer after handled'])
  })

  it('hands the failure of the handler through', async () => {
    const failing = async (): Promise<never> => {
      throw new Error('no')
    }
    let failure: unknown
    try {
      await chainOf(around('outer', []))?.(deliveries, failing)
    } catch (error) {
      failure = error
    }
    expect(failure).to.have.property('message', 'no')
  })

  it('names the plugin that calls next() twice', async () => {
    const twice: Plugin = {
      name: 'twice',
      api: 1,
      setup(scope) {
        scope.consume('batch', async (_deliveries, next) => [await next(), await next()])
      },
    }
    const error = await refusal(() => chainOf(twice)?.(deliveries, async () => 'handled'))
    expect(error.code).to.equal('PLUGIN_MISUSE')
    expect(error.message).to.contain('twice')
  })

  it('is nothing without plugins that take part', () => {
    expect(chainOf({ name: 'other', api: 1, setup() {} })).to.equal(undefined)
  })
})

describe('the deliveries of a batch', () => {
  const world = makeWorld()
  const bodies = (messages: readonly Message[]) => messages.map(({ body }) => body)
  const full = (size: number): ConsumeBatchOptions => ({ batch: { size, wait: '1h' }, concurrency: 1 })
  const publish = (bus: Bus, ...all: unknown[]) =>
    bus.publishBatch(
      'orders.paid',
      all.map((body) => ({ body })),
    )
  const settled = (bus: Bus) =>
    eventually(world, 'everything to be settled', async () => {
      const { ready, inFlight, retrying } = await bus.topic('orders.paid').group('test').stats()
      return ready + inFlight + retrying === 0 ? true : undefined
    })

  it('pass `handle` each by itself, and `batch` is around the handler, with all of them in order', async () => {
    const marks: unknown[] = []
    const bus = equipped(world, [
      plugin('marker', (scope) => {
        scope.consume('handle', async ({ message }, next) => {
          marks.push(`handle ${message.body}`)
          const result = await next()
          marks.push(`${message.body} is ${result}`)
          return result
        })
        scope.consume('batch', async (deliveries, next) => {
          marks.push(`batch of ${bodies(deliveries.map(({ message }) => message))}`)
          await next()
          marks.push('batch ends')
          return ['done', 'done too']
        })
      }),
    ])
    await bus.consumeBatch('orders.paid', (messages) => marks.push(`handler of ${bodies(messages)}`), full(2)).ready
    await publish(bus, 'a', 'b')
    await settled(bus)
    expect(marks).to.deep.equal([
      'handle a',
      'handle b',
      'batch of a,b',
      'handler of a,b',
      'batch ends',
      'a is done',
      'b is done too',
    ])
  })

  it("have a subscription's own middlewares around them as well", async () => {
    const marks: unknown[] = []
    const bus = equipped(world, [])
    await bus.consumeBatch('orders.paid', () => marks.push('handler'), {
      ...full(2),
      use: [
        async ({ message }, next) => {
          marks.push(message.body)
          return next()
        },
      ],
    }).ready
    await publish(bus, 'a', 'b')
    await settled(bus)
    expect(marks).to.deep.equal(['a', 'b', 'handler'])
  })

  it('that a middleware ends are none of the batch, and others are taken in their place', async () => {
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('inbox', (scope) => {
        scope.consume('handle', async ({ message }, next) => (message.body === 'known' ? 'skipped' : next()))
      }),
    ])
    await bus.consumeBatch('orders.paid', (messages) => seen.add(bodies(messages)), full(3)).ready
    await publish(bus, 1, 'known', 2, 'known', 'known', 3, 4)
    expect(await seen.count(1)).to.deep.equal([[1, 2, 3]])
  })

  it('that a middleware fails, before the batch or after it, fail by themselves', async () => {
    const outputs = new Received<unknown>()
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('strict', (scope) => {
        scope.consume('handle', async ({ message: { body, attempt } }, next) => {
          if (body === 'before' && attempt === 1) throw new Error('before')
          const result = await next()
          if (body === 'after' && attempt === 1) throw new Error('after')
          return result
        })
      }),
    ])
    await bus.consume('ledger.booked', ({ body }) => outputs.add(body)).ready
    await bus.consumeBatch(
      'orders.paid',
      async (messages, ctx) => {
        seen.add(bodies(messages))
        await ctx.publish('ledger.booked', bodies(messages))
      },
      { batch: { size: 3, wait: 500 }, retry: { delay: 1, jitter: 0 } },
    ).ready
    await publish(bus, 'a', 'before', 'b', 'after')
    await settled(bus)
    expect(seen.items[0]).to.deep.equal(['a', 'b', 'after'])
    expect(seen.items.slice(1).flat()).to.have.members(['before', 'after'])
    expect(await outputs.first((body) => `${body}` === 'a,b,after')).to.deep.equal(['a', 'b', 'after'])
  })

  it('that a middleware keeps for longer than the batch waits come into the next', async () => {
    const gate = new Gate()
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('limiter', (scope) => {
        scope.consume('handle', async ({ message }, next) => {
          if (message.body === 'slow') await gate.opened
          return next()
        })
      }),
    ])
    await bus.consumeBatch('orders.paid', (messages) => seen.add(bodies(messages)), { batch: { size: 3, wait: 40 } })
      .ready
    await publish(bus, 'slow', 'a', 'b')
    expect(await seen.count(1)).to.deep.equal([['a', 'b']])
    await publish(bus, 'c')
    gate.open()
    await seen.until((batches) => batches.flat().length === 4, 'the others')
    // In the order of delivery, if they come together.
    expect(seen.items.slice(1).flat()).to.deep.equal(['slow', 'c'])
  })

  it('that cannot be decoded are dead letters, and the others a batch', async () => {
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('codec', (scope) => {
        scope.consume('decode', async (_encoded, next) => {
          const body = await next()
          if (body === 'bad') throw Object.assign(new Error('nonsense'), { code: 'E_NONSENSE' })
          return body
        })
      }),
    ])
    await bus.consumeBatch('orders.paid', (messages) => seen.add(bodies(messages)), full(2)).ready
    await publish(bus, 'a', 'bad', 'b')
    expect(await seen.count(1)).to.deep.equal([['a', 'b']])
    expect((await deadLetters(world, bus, 'test')).map(({ reason }) => reason)).to.deep.equal(['undecodable'])
  })

  it('all fail if a middleware around the batch does, and those that a BatchError names if it lets that through', async () => {
    const seen = new Received<unknown[]>()
    const bus = equipped(world, [
      plugin('strict', (scope) => {
        scope.consume('batch', async ([first], next) => {
          if (first?.message.attempt === 1) throw new Error('not at first')
          return next()
        })
      }),
    ])
    await bus.consumeBatch(
      'orders.paid',
      (messages) => {
        seen.add(messages.map(({ body, attempt }) => `${body} ${attempt}`))
        const failed = messages.filter(({ body, attempt }) => body === 'b' && attempt === 2)
        if (failed.length > 0) throw new BatchError(failed.map(({ id }) => id))
      },
      { batch: { size: 2, wait: 50 }, retry: { delay: 1, jitter: 0 } },
    ).ready
    await publish(bus, 'a', 'b')
    await settled(bus)
    expect(seen.items.flat()).to.have.members(['a 2', 'b 2', 'b 3'])
  })

  it('have the additions of plugins each on its own context, and options of plugins are taken', async () => {
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('tenants', (scope) => {
        scope.option('consume', 'tenancy', (value) => (typeof value === 'boolean' ? undefined : 'true or false'))
        scope.context('tenant', ({ message, options }) => `${message.headers.tenant} ${options.tenancy}`)
      }),
    ])
    const options = { ...full(2), ...extra({ tenancy: true }) }
    await bus.consumeBatch(
      'orders.paid',
      (messages, ctx) =>
        seen.add([Object.keys(ctx), ...messages.map((message) => (ctx.of(message) as { tenant?: string }).tenant)]),
      options,
    ).ready
    for (const tenant of ['x', 'y']) await bus.publish('orders.paid', 1, { headers: { tenant } })
    expect(await seen.count(1)).to.deep.equal([[[], 'x true', 'y true']])
    const wrong = await refusal(() =>
      bus.consumeBatch('orders.other', () => {}, { ...full(2), ...extra({ tenancy: 1 }) }),
    )
    expect(wrong.message).to.contain('tenancy')
  })

  it('are observed one by one when they are settled, with their results', async () => {
    const events = new Received<unknown>()
    const bus = equipped(world, [
      plugin('watcher', (scope) => {
        scope.observe('settled', ({ delivery, outcome, runMs }) => {
          const result = outcome.kind === 'done' ? outcome.result : outcome.kind
          events.add([delivery.message.body, result, runMs < 100])
        })
      }),
    ])
    await bus.consumeBatch('orders.paid', (messages) => messages.map(({ body }) => `${body}!`), {
      batch: { size: 3, wait: 150 },
    }).ready
    await publish(bus, 'a', 'b')
    // How long they waited for others is no time of the handler's.
    expect(await events.count(2)).to.have.deep.members([
      ['a', 'a!', true],
      ['b', 'b!', true],
    ])
  })

  it('leave their async contexts behind: the handler runs in that of its subscription', async () => {
    const store = new AsyncLocalStorage<string>()
    const seen = new Received<unknown>()
    const bus = equipped(world, [
      plugin('tracer', (scope) => {
        scope.consume('handle', ({ message }, next) => store.run(`delivery ${message.body}`, next))
        scope.consume('batch', (_deliveries, next) => {
          seen.add(store.getStore())
          return store.run('batch', next)
        })
      }),
    ])
    await bus.consumeBatch('orders.paid', () => seen.add(store.getStore()), { batch: { size: 2, wait: 30 } }).ready
    await publish(bus, 'a', 'b')
    expect(await seen.count(2)).to.deep.equal([undefined, 'batch'])
    // One that is cut by the timer, too.
    await publish(bus, 'c')
    expect((await seen.count(4)).slice(2)).to.deep.equal([undefined, 'batch'])
  })
})
