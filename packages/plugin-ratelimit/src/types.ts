/** What the plugin adds, as types. Nothing here runs. */
import type { Duration } from '@busway/bus'

/** So many in so much time, over all processes. In no stretch of time are there more than `limit` for each `per` of it, and `burst` beyond them. */
export interface Rate {
  /** A number above 0. */
  limit: number
  /** The time that `limit` is for. */
  per: Duration
  /** How many may come at once after a quiet time. Default: what `limit` has for a tenth of a second, at least 2. */
  burst?: number
}

/** The option `rate` of `consume`: how many messages a group may be handed. */
export interface ConsumeRate extends Rate {
  /** `group`: all of it together. `key`: each ordering key by itself; messages without one are not limited. Default: `group`. */
  by?: 'group' | 'key'
}

/** The option `rate` of `publish`: how many messages may be published to a topic. */
export interface PublishRate extends Rate {
  /** What is counted together, 1 to 500 characters: a tenant, for example. Default: all that has none. */
  key?: string
  /** Beyond the rate: `reject` with `PUBLISH_REJECTED`, its `details.retryMs` saying when there is room, or `wait` for it. Default: `reject`. */
  mode?: 'reject' | 'wait'
  /** How long it may wait; what would have to wait longer is rejected. Default: `10s`. */
  maxWait?: Duration
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    ratelimit: {
      publish: { rate?: PublishRate }
      consume: { rate?: ConsumeRate }
      context: {
        /**
         * Another says that it is too much (a 429): nothing more of this group, or of this ordering key, is handled for `pause`, in all processes, and this
         * message is tried again then, as if it had not been. It throws what does that: do not catch it. For subscriptions with `rate`.
         *
         * @example
         * if (response.status === 429) ctx.rateLimit('10s')
         */
        rateLimit(pause: Duration): never
      }
    }
  }
}
