import type { Delivery, Outcome } from './delivery.js'
import type { PublishBatch } from './outgoing.js'
import type { Receipt } from './receipt.js'

/** What can be observed. Moments are milliseconds since the epoch by this process' clock. */
export interface Events {
  /** A publish was answered; `error` if it was refused or its fate is unknown, then without receipts. */
  published: {
    readonly topic: string
    readonly receipts: readonly Receipt[]
    readonly via: PublishBatch['via']
    readonly startMs: number
    readonly endMs: number
    readonly error?: Error
  }
  /** Messages arrived. */
  fetched: {
    readonly topic: string
    readonly group: string
    readonly count: number
    readonly startMs: number
    readonly endMs: number
  }
  /** Redis confirmed what became of a delivery, or refused it since the lease was lost. */
  settled: {
    readonly delivery: Delivery
    readonly outcome: Outcome
    /** How long the handler ran. */
    readonly runMs: number
    /** From the message's time to its settle. */
    readonly sinceMs: number
    readonly settleStartMs: number
    readonly settleEndMs: number
    readonly refused?: 'LEASE_LOST'
  }
  /** Messages of a consumer that went silent were released to others. */
  recovered: { readonly topic: string; readonly group: string; readonly ranges: number; readonly crashed: number }
  /** Dead letters were made ready again. */
  redriven: { readonly topic: string; readonly group: string; readonly count: number }
  /** Redis was reached, or lost. */
  connection: { readonly state: 'up' | 'down'; readonly error?: Error }
}
