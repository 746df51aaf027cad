/**
 * Flows: messages that wait for others.
 *
 * Read types.ts first, then store.ts (what is kept), steps.ts (each step on it) and coordinator.ts (who takes the steps).
 */
import { BuswayError, durationMs, type Plugin } from '@busway/bus'
import { coordinate } from './coordinator.js'
import { BusFlows } from './flows.js'
import { childrenOf, waitsFor } from './handler.js'
import { addressOf, COMMIT_HEADER } from './ids.js'
import { COMMIT } from './steps.js'
import { declareStore, keyNames, TOPIC } from './store.js'
import type { FlowOptions } from './types.js'

export type * from './types.js'

/**
 * The plugin.
 *
 * @example
 * const bus = createBus({ service: 'reports', plugins: [flow()] })
 * await bus.flows.publish({ topic: 'reports.assembled', body: {}, children: [{ topic: 'reports.parts', body: { airport: 'OSL' } }] })
 */
export function flow(given: FlowOptions = {}): Plugin<'flow'> {
  const { coordinate: coordinates = true, concurrency = 100, lease = '10s', keep = '1h', abandonAfter = '90d' } = given
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new BuswayError('INVALID_OPTIONS', 'flow: concurrency should be a whole number from 1.')
  const lifetimes = { keepMs: durationMs('keep', keep, 1), abandonMs: durationMs('abandonAfter', abandonAfter, 1) }
  return {
    name: 'flow',
    api: 1,
    setup(scope) {
      const store = declareStore(scope, lifetimes)
      scope.publish('enrich', (batch, next) => {
        for (const message of batch.messages) {
          if (addressOf(message.options.id, message.headers) !== undefined) message.reportTo = { topic: TOPIC }
        }
        return next()
      })
      scope.guard({
        at: 'publish',
        name: 'commit',
        keys: keyNames,
        args: ({ headers }) => {
          const named = headers[COMMIT_HEADER]?.split(' ')
          return named && [...named, String(lifetimes.abandonMs)]
        },
        lua: COMMIT,
      })
      scope.context('children', (delivery) => childrenOf(store, delivery))
      scope.context('waitFor', (delivery) => waitsFor(scope, store, delivery))
      if (coordinates) scope.ready(() => coordinate(scope, store, { concurrency, lease }).ready)
      return { flows: new BusFlows(scope, store) }
    },
  }
}

export default flow

/** JSON Schema of the options, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    coordinate: { type: 'boolean', description: 'Whether this process releases what waits. Default: true.' },
    concurrency: { type: 'integer', minimum: 1, description: 'How many ends it handles at once. Default: 100.' },
    lease: {
      type: ['string', 'number'],
      description: "How long after its death others handle what this process was about to. Default: '10s'.",
    },
    keep: { type: ['string', 'number'], description: "How long an ended flow can be looked at. Default: '1h'." },
    abandonAfter: {
      type: ['string', 'number'],
      description: "How long an open flow is kept of which nothing is heard. Default: '90d'.",
    },
  },
}
