/** The chain around a batch handler, by itself: the kernel calls it once it has batch handlers. */
import type { Bus, Delivery, Plugin } from '@busway/bus'
import { expect } from 'chai'
import { pino } from 'pino'
import { createPlugins } from '../../packages/bus/src/plugins/index.js'
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
