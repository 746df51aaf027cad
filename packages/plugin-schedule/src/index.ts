/**
 * Schedules: `bus.schedules` publishes messages by cron expressions and at intervals.
 *
 * Read types.ts first, then firing.ts.
 */
import type { Plugin } from '@busway/bus'
import { fire } from './firing.js'
import { BusSchedules } from './schedules.js'
import { invalid } from './spec.js'
import { declareStore } from './store.js'
import type { ScheduleOptions } from './types.js'

export type * from './types.js'

/**
 * The plugin.
 *
 * @example
 * const bus = createBus({ service: 'reports', plugins: [schedule()] })
 * await bus.schedules.upsert('nightly', { topic: 'reports.wanted', body: {}, cron: '0 3 * * *' })
 */
export function schedule(given: ScheduleOptions = {}): Plugin<'schedule'> {
  const { fire: fires = true, concurrency = 10, lease = '10s' } = given
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw invalid('concurrency', 'it should be a whole number from 1')
  return {
    name: 'schedule',
    api: 1,
    setup(scope) {
      const store = declareStore(scope)
      if (fires) scope.ready(() => fire(scope, store, { concurrency, lease }).ready)
      return { schedules: new BusSchedules(scope, store) }
    },
  }
}

export default schedule

/** JSON Schema of the options, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    fire: { type: 'boolean', description: 'Whether this process fires what is due. Default: true.' },
    concurrency: { type: 'integer', minimum: 1, description: 'How many due schedules it fires at once. Default: 10.' },
    lease: {
      type: ['string', 'number'],
      description: "How long after its death others fire what this process was about to. Default: '10s'.",
    },
  },
}
