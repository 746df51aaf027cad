import { expect } from 'chai'
import fc from 'fast-check'
import type { Plugin } from '../../packages/bus/src/api/index.js'
import { inOrder } from '../../packages/bus/src/plugins/order.js'
import { refusal } from './refusal.js'

type Conditions = Pick<Plugin, 'requires' | 'before' | 'after'>
const plugin = (name: string, conditions: Conditions = {}): Plugin => ({ name, api: 1, setup() {}, ...conditions })
const ordered = (...plugins: Plugin[]) => inOrder(plugins).map(({ name }) => name)

describe('the order of plugins', () => {
  it('is that of their registration', () => {
    expect(ordered(plugin('c'), plugin('a'), plugin('b'))).to.deep.equal(['c', 'a', 'b'])
  })

  it('puts a plugin outside of those that it is before, and inside of those that it is after', () => {
    expect(ordered(plugin('a'), plugin('b'), plugin('c', { before: ['a'] }))).to.deep.equal(['b', 'c', 'a'])
    expect(ordered(plugin('a', { after: ['b'] }), plugin('b'), plugin('c'))).to.deep.equal(['b', 'a', 'c'])
  })

  it('takes no notice of conditions on plugins that are not there', () => {
    expect(ordered(plugin('a', { before: ['x'], after: ['y'] }), plugin('b'))).to.deep.equal(['a', 'b'])
  })

  it('says which plugin is missing, and who requires it', async () => {
    const error = await refusal(() => ordered(plugin('flow', { requires: ['schedule'] })))
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.match(/'flow' requires the plugin 'schedule', which is not registered/)
  })

  it('tells a circle by its members, in their order', async () => {
    const error = await refusal(() =>
      ordered(
        plugin('z'),
        plugin('a', { before: ['b'] }),
        plugin('b', { before: ['c'] }),
        plugin('c', { before: ['a'] }),
      ),
    )
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.match(
      /(a before b before c before a|b before c before a before b|c before a before b before c)/,
    )
    expect(error.message).to.not.match(/z/)
  })

  it('tells a plugin that is before itself', async () => {
    expect((await refusal(() => ordered(plugin('a', { before: ['a'] })))).message).to.match(/a before a/)
  })

  it('keeps every condition and loses nobody, whatever the conditions', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const some = fc.subarray(names)
    fc.assert(
      fc.property(
        fc
          .shuffledSubarray(names)
          .chain((chosen) =>
            fc.tuple(...chosen.map((name) => fc.record({ name: fc.constant(name), before: some, after: some }))),
          ),
        (chosen) => {
          const plugins = chosen.map(({ name, before, after }) => plugin(name, { before, after }))
          let sorted: string[]
          try {
            sorted = ordered(...plugins)
          } catch {
            return
          }
          expect([...sorted].sort()).to.deep.equal(plugins.map(({ name }) => name).sort())
          const position = (name: string) => sorted.indexOf(name)
          for (const { name, before = [], after = [] } of plugins) {
            for (const other of before) if (position(other) >= 0) expect(position(name)).to.be.below(position(other))
            for (const other of after) if (position(other) >= 0) expect(position(name)).to.be.above(position(other))
          }
        },
      ),
    )
  })
})
