/** Messages on their way in. */

import type { GuardArgs } from './guard.js'
import type { DeadReason } from './listing.js'
import type { Message } from './message.js'

/** A message on its way in, before it is decoded. */
export interface Encoded {
  readonly topic: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: Uint8Array
}

/** One message in the hands of one subscription. */
export interface Delivery {
  readonly message: Message
  readonly group: string
  /** The options of the subscription, the plugins' own among them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
  /** The encoded body's size in bytes; 0 if it can't be read. */
  readonly bodyBytes: number
  /** Its subscription has a batch handler: `batch` middleware is around that, for all deliveries of the batch. */
  readonly inBatch: boolean
  /** As `ctx.publish`: joins the settle. */
  readonly publish: (topic: string, body: unknown, options?: Record<string, unknown>) => Promise<void>
  /** Arguments for settle guards, by the guard's name, from `handle` middleware; they stand in for what the guard's `args` answers. */
  readonly settle: Map<string, GuardArgs>
}

/** How a delivery ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'retry'; readonly error: Error; readonly delayMs: number; readonly counted: boolean }
  | { readonly kind: 'dead'; readonly error: Error; readonly reason: DeadReason }
  | { readonly kind: 'released' }
