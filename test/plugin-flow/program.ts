/** A process that coordinates flows and handles their messages, staging one note for each that it handles. Started by crashes.test.ts. */
import { createBus } from '@busway/bus'
import { flow } from '@busway/plugin-flow'

const { REDIS = '', NAMESPACE = '' } = process.env
process.on('disconnect', () => process.exit(0))
const bus = createBus({
  service: 'worker',
  redis: REDIS,
  namespace: NAMESPACE,
  logger: false,
  plugins: [flow({ lease: 1000 })],
})
const retry = { delay: 20, maxDelay: 50 } as const
bus.consume(
  'parts',
  async ({ id, body, attempt }, ctx) => {
    if (Number(body) % 5 === 0 && attempt === 1) throw new Error('the first time')
    await ctx.publish('handled', id)
    return Number(body)
  },
  { lease: '1s', retry, maxCrashes: 100 },
)
bus.consume(
  'whole',
  async ({ id }, ctx) => {
    await ctx.publish('handled', id)
    return (await ctx.children()).reduce((sum, { result }) => sum + Number(result), 0)
  },
  { lease: '1s', retry, maxCrashes: 100 },
)
await bus.ready()
process.send?.('ready')
