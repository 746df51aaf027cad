import type { Report } from '../api/outgoing.js'
import { BuswayError } from './busway-error.js'

/** What a handler in another process threw: what could be written down of it. */
export interface HandlerError {
  readonly name: string
  readonly message: string
  /** The error's own `code`, if it had one. */
  readonly code?: string
}

/**
 * A request ended without a reply: its handler failed for good, or nobody will handle it any more. Its message is the handler's.
 *
 * @example
 * try { await bus.request('fares.quote', { from: 'OSL' }) }
 * catch (error) { if (error instanceof RequestError && error.handlerError?.name === 'NoSuchAirport') return undefined; throw error }
 */
export class RequestError extends BuswayError {
  /** How the message ended. `done`: the handler returned something that can't be told. */
  readonly outcome: Report['outcome']
  /** Absent where no handler failed: the message was purged, cancelled, replaced, or its group removed. */
  readonly handlerError: HandlerError | undefined

  constructor(message: string, outcome: Report['outcome'], handlerError?: HandlerError) {
    super('REQUEST_FAILED', message, { details: { outcome, handlerError } })
    this.outcome = outcome
    this.handlerError = handlerError
  }

  override get name(): string {
    return 'RequestError'
  }
}
