import type { BuswayErrorCode } from './codes.js'

/** What a {@link BuswayError} may carry besides its message. */
export interface BuswayErrorOptions {
  /** What led to it. */
  cause?: unknown
  /** Facts a program may act on, by name. */
  details?: Readonly<Record<string, unknown>>
}

/**
 * Every error of the bus. `code` says which (see {@link codes}), `message` what to do, `cause` what led to it.
 *
 * @example
 * try { await bus.publish('orders.paid', body) }
 * catch (error) { if (error instanceof BuswayError && error.code === 'REDIS_UNAVAILABLE') later(body) }
 */
export class BuswayError extends Error {
  readonly code: BuswayErrorCode
  /** Facts a program may act on, such as `retryMs` of PUBLISH_REJECTED. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: BuswayErrorCode, message: string, options: BuswayErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.details = options.details ?? {}
  }

  // On the prototype, so that stacks and logs show the class without a field per error.
  override get name(): string {
    return 'BuswayError'
  }
}
