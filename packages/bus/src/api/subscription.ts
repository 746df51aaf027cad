import type { Duration } from './duration.js'

/** What a close left behind. */
export interface CloseReport {
  /** Messages given back unstarted, in order, their attempts unchanged. */
  readonly released: number
  /** Ids of messages whose handlers still ran when time was up; they stay leased until they return or the lease ends. */
  readonly abandoned: readonly string[]
  /** Publishes that were not answered in time. */
  readonly unanswered: number
}

/** Options of `close`. */
export interface CloseOptions {
  /** How long running handlers (and, for the bus, publishes under way) are waited for. Default: `30s`. */
  timeout?: Duration
}

/**
 * One `consume` call in this process. `pause` and `resume` concern it alone; a whole group is paused by `bus.topic(name).group(name).pause()`.
 *
 * @example
 * await using subscription = bus.consume('orders.paid', onPaid)
 * await subscription.ready
 */
export interface Subscription extends AsyncDisposable {
  /**
   * Resolves when the group exists and messages can come; waits for a Redis that cannot be reached. Rejects when Redis answers and cannot be used (a
   * password, its version), or the subscription is closed before; not handling that crashes nothing. After a rejection it goes on trying until closed.
   */
  readonly ready: Promise<void>
  /** Starts no further message until `resume`. What runs goes on. */
  pause(): void
  resume(): void
  /** Takes no more, gives back what was not started, waits for what runs, at most `timeout`. May be called repeatedly. Never rejects. */
  close(options?: CloseOptions): Promise<CloseReport>
}
