/** A process that fires schedules, and says when it is ready. Started by schedules.test.ts. */
import { createBus } from '@busway/bus'
import { schedule } from '@busway/plugin-schedule'

const { REDIS = '', NAMESPACE = '' } = process.env
process.on('disconnect', () => process.exit(0))
const bus = createBus({
  service: 'scheduler',
  redis: REDIS,
  namespace: NAMESPACE,
  logger: false,
  plugins: [schedule({ lease: 1000 })],
})
await bus.ready()
process.send?.('ready')
