/**
 * Rate limits: `rate` on consume and on publish, and `ctx.rateLimit`.
 *
 * Read types.ts first, then lua.ts.
 */
import type { Plugin } from '@busway/bus'
import { limitConsumers } from './consumers.js'
import { limitPublishers } from './publishers.js'

export type * from './types.js'

/**
 * The plugin.
 *
 * @example
 * const bus = createBus({ service: 'mailer', plugins: [ratelimit()] })
 * bus.consume('mails.wanted', send, { rate: { limit: 100, per: '1s' } })
 */
export function ratelimit(): Plugin<'ratelimit'> {
  return {
    name: 'ratelimit',
    api: 1,
    setup(scope) {
      limitConsumers(scope)
      limitPublishers(scope)
    },
  }
}

export default ratelimit

/** JSON Schema of the options, for deployment files: there are none. */
export const options = { type: 'object', additionalProperties: false, properties: {} }
