/** A process that consumes at a limited rate. Started by consuming.test.ts. */
import { createBus } from '@busway/bus'
import { ratelimit } from '@busway/plugin-ratelimit'
import { recorder } from './taken.js'

const { REDIS = '', NAMESPACE = '', TOPIC = '', RATE = '{}' } = process.env
process.on('disconnect', () => process.exit(0))
const bus = createBus({
  service: 'limited',
  redis: REDIS,
  namespace: NAMESPACE,
  logger: false,
  plugins: [ratelimit(), recorder()],
})
await bus.consume(TOPIC, () => {}, { rate: JSON.parse(RATE), concurrency: 5, lease: 1000 }).ready
process.send?.('ready')
