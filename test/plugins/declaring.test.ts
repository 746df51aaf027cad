/** What can be seen to be wrong when a plugin is registered, before anything is connected. */
import type { Delivery, Events, Message, Outgoing, Plugin, Scope } from '@busway/bus'
import { expect } from 'chai'
import { contextOf } from '../../packages/bus/src/consume/handler-context.js'
import type { Run } from '../../packages/bus/src/consume/run.js'
import { createPlugins } from '../../packages/bus/src/plugins/index.js'
import { LogLines } from '../support/log-lines.js'
import { refusal } from './refusal.js'

function host() {
  const log = new LogLines()
  const bus: Record<string, unknown> = { publish: () => undefined }
  const plugins = createPlugins({ service: 'test', log: log.logger, topics: { 'a.b': { retain: '1d' } }, bus })
  return { log, bus, plugins }
}
const plugin = (name: string, setup: Plugin['setup'] = () => {}): Plugin => ({ name, api: 1, setup })
const delivery = (options: Record<string, unknown> = {}): Delivery => ({
  message: { id: '1', topic: 'a.b' } as Message,
  group: 'g',
  options,
  signal: new AbortController().signal,
  bodyBytes: 0,
  inBatch: false,
  publish: async () => {},
  settle: new Map(),
})

describe('registering a plugin', () => {
  const wrong: [string, unknown, RegExp][] = [
    ['nothing', undefined, /is an object/],
    ['a factory that was not called', () => plugin('a'), /call it, as in plugins: \[dedupe\(\)\]/],
    ['one without a name', { api: 1, setup() {} }, /name is 1 to 64/],
    ['a name that cannot be part of a key', { name: 'a:b', api: 1, setup() {} }, /name is 1 to 64/],
    [
      'another version of the contract',
      { name: 'a', api: 2, setup() {} },
      /'a' is written for version 2.*has version 1/,
    ],
    ['one without a setup', { name: 'a', api: 1 }, /'a' has no setup/],
    ['requires that are no list', { name: 'a', api: 1, setup() {}, requires: 'b' }, /requires is a list/],
    ['a field that does not exist', { name: 'a', api: 1, setup() {}, require: [] }, /no field 'require'/],
    ['an async setup', { name: 'a', api: 1, async setup() {} }, /is not async.*scope\.ready/],
    ['additions that are none', { name: 'a', api: 1, setup: () => 'x' }, /returned string/],
  ]
  for (const [what, value, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const error = await refusal(() => host().plugins.add(value))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.match(message)
    })
  }

  it('refuses one that is there already', async () => {
    const { plugins } = host()
    plugins.add(plugin('a'))
    expect((await refusal(() => plugins.add(plugin('a')))).message).to.match(/'a' is registered twice/)
  })

  it('refuses everything once the bus has started', async () => {
    const { plugins } = host()
    let kept: Scope | undefined
    plugins.add(
      plugin('a', (scope) => {
        kept = scope
      }),
    )
    plugins.compose()
    expect((await refusal(() => plugins.add(plugin('b')))).code).to.equal('BUS_STARTED')
    const declaring = kept as unknown as Scope
    expect((await refusal(() => declaring.observe('settled', () => {}))).code).to.equal('BUS_STARTED')
  })

  const clashes: [string, (scope: Scope) => void][] = [
    ['an option of publish', (scope) => scope.option('publish', 'tenant', () => undefined)],
    ['an option of consume', (scope) => scope.option('consume', 'tenant', () => undefined)],
    ['a context property', (scope) => scope.context('tenant', () => 1)],
    ['an addition to the bus', () => ({ tenant: 1 })],
  ]
  for (const [what, setup] of clashes) {
    it(`refuses ${what} that another plugin has`, async () => {
      const { plugins } = host()
      plugins.add(plugin('a', setup))
      const error = await refusal(() => plugins.add(plugin('b', setup)))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.match(/'b'.*'tenant'.*'a'/)
    })
  }

  const mistakes: [string, (scope: Scope) => unknown, RegExp][] = [
    [
      'an option of the kernel',
      (scope) => scope.option('publish', 'delay', () => undefined),
      /'delay'.*belongs to the bus/,
    ],
    [
      'an option of a kernel to come',
      (scope) => scope.option('publish', 'priority', () => undefined),
      /belongs to the bus/,
    ],
    ['a context property of the kernel', (scope) => scope.context('signal', () => 1), /belongs to the bus/],
    ['an addition that the bus has', () => ({ publish: 1 }), /'publish'.*has one of its own/],
    [
      'a stage that does not exist',
      (scope) => scope.publish('send' as 'enrich', async (_b, next) => next()),
      /'enrich' or 'encode'/,
    ],
    [
      'a stage of the other side',
      (scope) => scope.consume('encode' as 'decode', async (_e, next) => next()),
      /'decode', 'handle' or 'batch'/,
    ],
    [
      'an event that does not exist',
      (scope) => scope.observe('acked' as 'settled', () => {}),
      /published, subscribed, fetched, settled/,
    ],
    ['a middleware that is none', (scope) => scope.publish('enrich', undefined as never), /undefined for a function/],
    [
      'a guard without Lua',
      (scope) => scope.guard({ at: 'publish', name: 'g', keys: () => [], args: () => [] } as never),
      /'g' has no lua/,
    ],
    [
      'a guard at no place',
      (scope) => scope.guard({ at: 'ack', name: 'g', keys: () => [], args: () => [], lua: '' } as never),
      /'g' is at none of/,
    ],
    [
      'two guards of one name at one place',
      (scope) => {
        const guard = { at: 'settle', name: 'g', keys: () => [], args: () => [], lua: 'return {}' } as const
        scope.guard(guard)
        scope.guard(guard)
      },
      /two settle guards named 'g'/,
    ],
    [
      'a script without a body',
      (scope) => scope.script({ name: 's', keys: () => [] } as never),
      /a script is an object/,
    ],
    ['the bus before it is ready', (scope) => scope.bus, /scope\.bus is there from ready on/],
  ]
  for (const [what, setup, message] of mistakes) {
    it(`refuses ${what}`, async () => {
      const error = await refusal(() => host().plugins.add(plugin('a', (scope) => setup(scope) as object)))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.match(message)
    })
  }

  it('adds nothing to the bus when one of the names is taken', async () => {
    const { plugins, bus } = host()
    await refusal(() => plugins.add(plugin('a', () => ({ mine: 1, publish: 2 }))))
    expect(bus).to.not.have.property('mine')
  })

  it('gives the plugin its service, the topics and a logger with its name', async () => {
    const { plugins, log } = host()
    plugins.add(
      plugin('a', (scope) => {
        scope.log.warn('hello')
        expect(scope.service).to.equal('test')
        expect(scope.topics).to.deep.equal({ 'a.b': { retain: '1d' } })
      }),
    )
    const line = await log.first(({ msg }) => msg === 'hello')
    expect(line).to.include({ plugin: 'a' })
  })
})

describe('what plugins declared', () => {
  it('is nothing to run through without plugins', () => {
    const { plugins } = host()
    const pipeline = plugins.compose()
    const { publish, decode, handle, batch, context } = pipeline
    expect({ publish, decode, handle, batch, context }).to.deep.equal({
      publish: undefined,
      decode: undefined,
      handle: undefined,
      batch: undefined,
      context: new Map(),
    })
    expect(pipeline.listens('settled')).to.equal(false)
    expect(pipeline.logBindings()).to.deep.equal({})
  })

  it('checks options from the registration on, saying whose they are and what they take', async () => {
    const { plugins } = host()
    plugins.add(
      plugin('tenants', (scope) =>
        scope.option('publish', 'tenant', (value) => (typeof value === 'string' ? undefined : 'a string')),
      ),
    )
    const pipeline = plugins.pipeline()
    expect(pipeline.optionNames('publish')).to.deep.equal(['tenant'])
    expect(pipeline.optionNames('consume')).to.deep.equal([])
    pipeline.checkOption('publish', 'tenant', 'x')
    const error = await refusal(() => pipeline.checkOption('publish', 'tenant', 1))
    expect(error.code).to.equal('INVALID_OPTIONS')
    expect(error.message).to.equal("publish: tenant of plugin 'tenants' should be a string.")
  })

  it('puts properties on a context that are made when first used, once', () => {
    const { plugins } = host()
    let made = 0
    plugins.add(plugin('a', (scope) => scope.context('count', ({ message }) => `${message.id}-${++made}`)))
    const pipeline = plugins.compose()
    const run = Object.assign(delivery(), { subject: { pipeline } }) as unknown as Run
    const context = contextOf(run) as { count?: string }
    expect(made).to.equal(0)
    expect([context.count, context.count]).to.deep.equal(['1-1', '1-1'])
    expect(made).to.equal(1)
  })

  it('keeps going when an observer throws or rejects, and logs whose it was', async () => {
    const { plugins, log } = host()
    const seen: Events['recovered'][] = []
    plugins.add(
      plugin('thrower', (scope) =>
        scope.observe('recovered', () => {
          throw new Error('thrown')
        }),
      ),
    )
    plugins.add(
      plugin('rejecter', (scope) =>
        scope.observe('recovered', (async () => {
          throw new Error('rejected')
        }) as () => void),
      ),
    )
    plugins.add(plugin('seer', (scope) => scope.observe('recovered', (event) => void seen.push(event))))
    const event = { topic: 'a.b', group: 'g', ranges: 1, crashed: 0, dead: 0 }
    const pipeline = plugins.compose()
    expect(pipeline.listens('recovered')).to.equal(true)
    pipeline.emit('recovered', event)
    expect(seen).to.deep.equal([event])
    await log.first((line) => line.plugin === 'thrower' && line.event === 'recovered')
    await log.first((line) => line.plugin === 'rejecter')
  })

  it('merges log bindings, and leaves out those that fail', async () => {
    const { plugins, log } = host()
    plugins.add(plugin('a', (scope) => scope.logBindings(() => ({ trace: 1, shared: 'a' }))))
    plugins.add(
      plugin('b', (scope) =>
        scope.logBindings(() => {
          throw new Error('no bindings')
        }),
      ),
    )
    plugins.add(plugin('c', (scope) => scope.logBindings(() => ({ shared: 'c' }))))
    expect(plugins.compose().logBindings()).to.deep.equal({ trace: 1, shared: 'c' })
    await log.first((line) => line.plugin === 'b')
  })

  it('asks for one receipt per message from whoever answers a publish', async () => {
    const { plugins } = host()
    plugins.add(plugin('a', (scope) => scope.publish('enrich', async () => [])))
    const message = { body: 1, contentType: 'application/json', headers: {}, options: {} }
    const batch = { topic: 'a.b', messages: [message], via: 'publish' } as const
    const error = await refusal(() => plugins.compose().publish?.(batch, async () => []))
    expect(error.code).to.equal('PLUGIN_MISUSE')
    expect(error.message).to.match(/return what next\(\) gives/)
  })

  it("runs every plugin's enrich before the first encode", async () => {
    const { plugins } = host()
    const order: string[] = []
    const stages = (name: string) =>
      plugin(name, (scope) => {
        for (const stage of ['encode', 'enrich'] as const)
          scope.publish(stage, async (_batch, next) => {
            order.push(`${name} ${stage}`)
            return next()
          })
      })
    plugins.add(stages('a'))
    plugins.add(stages('b'))
    await plugins.compose().publish?.({ topic: 'a.b', messages: [], via: 'publish' }, async () => [])
    expect(order).to.deep.equal(['a enrich', 'b enrich', 'a encode', 'b encode'])
  })

  it("gives guards their plugin's part of the topic's keys, and `owns` the same", async () => {
    const { plugins } = host()
    plugins.add(
      plugin('dedupe', (scope) => {
        scope.guard({ at: 'publish', name: 'once', keys: () => ['seen'], args: () => ['k'], lua: 'return {}' })
        scope.guard({
          at: 'settle',
          name: 'inbox',
          keys: (_t, group) => [`${group}:inbox`],
          args: () => [],
          lua: 'return {}',
        })
        scope.publish('enrich', async (batch, next) => {
          for (const message of batch.messages) message.owns = ['lock:1']
          return next()
        })
      }),
    )
    const pipeline = plugins.compose()
    expect(pipeline.guards.publish[0]?.keys('a.b', '')).to.deep.equal(['x:dedupe:seen'])
    const { publish, fetch, settle } = plugins.guards()
    expect(publish.map(({ name }) => name)).to.deep.equal(['dedupe/once'])
    expect(fetch).to.deep.equal([])
    const { keys } = settle[0] ?? {}
    expect(typeof keys === 'function' && keys('a.b', 'g')).to.deep.equal(['x:dedupe:g:inbox'])
    const message: Outgoing = { body: 1, contentType: '', headers: {}, options: {} }
    await pipeline.publish?.({ topic: 'a.b', messages: [message], via: 'publish' }, async () => [
      { id: '1', topic: 'a.b', status: 'accepted' },
    ])
    expect(message.owns).to.deep.equal(['x:dedupe:lock:1'])
  })

  it('refuses guard arguments that are none', async () => {
    const { plugins } = host()
    const guard = { at: 'publish', name: 'g', keys: () => [], args: () => [{}] as never, lua: 'return {}' } as const
    plugins.add(plugin('a', (scope) => scope.guard(guard)))
    const message = { body: 1, contentType: '', headers: {}, options: {} }
    const error = await refusal(() => plugins.compose().guards.publish[0]?.args(message))
    expect(error.message).to.match(/'a\/g'.*list of strings, finite numbers and byte arrays/)
  })

  it('is shown by inspect, as data and as text', () => {
    const { plugins } = host()
    plugins.add(plugin('tracing', (scope) => scope.consume('handle', (_delivery, next) => next())))
    plugins.add({
      ...plugin('dedupe', (scope) => {
        scope.option('publish', 'dedupe', () => undefined)
        scope.guard({ at: 'publish', name: 'once', keys: () => [], args: () => undefined, lua: 'return {}' })
        scope.observe('settled', () => {})
        return { locks: {} }
      }),
      before: ['tracing'],
    })
    const inspection = plugins.inspect()
    expect(inspection.plugins.map(({ name }) => name)).to.deep.equal(['dedupe', 'tracing'])
    expect(inspection.chains.handle).to.deep.equal(['tracing'])
    expect(inspection.guards.publish).to.deep.equal(['dedupe/once'])
    expect(inspection.options.publish).to.deep.equal({ dedupe: 'dedupe' })
    expect(inspection.bus).to.deep.equal({ locks: 'dedupe' })
    expect(inspection.observers.settled).to.deep.equal(['dedupe'])
    expect(JSON.parse(JSON.stringify(inspection))).to.deep.equal({ ...inspection })
    expect(`${inspection}`.split('\n')).to.deep.equal([
      'service test',
      '  plugins          dedupe (before tracing) > tracing',
      '  consume handle   tracing',
      '  guards publish   dedupe/once',
      '  options publish  dedupe (dedupe)',
      '  bus              locks (dedupe)',
      '  observe settled  dedupe',
    ])
  })
})
