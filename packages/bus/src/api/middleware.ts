/** What plugins put around publishing and consuming. */
import type { Delivery, Encoded } from './delivery.js'
import type { PublishBatch } from './outgoing.js'
import type { Receipt } from './receipt.js'

/** Around publishing: `next()` once, then its receipts, one per message. */
export type PublishMiddleware = (batch: PublishBatch, next: () => Promise<Receipt[]>) => Promise<Receipt[]>
/** Around decoding: `next()` gives bytes, or what an inner plugin made of them. Pure: admin pages run it too. */
export type DecodeMiddleware = (encoded: Encoded, next: () => Promise<unknown>) => Promise<unknown>
/** Around one batch handler. */
export type BatchMiddleware = (deliveries: readonly Delivery[], next: () => Promise<unknown>) => Promise<unknown>
/** Around one run of a handler: a plugin's, or a subscription's own (`use`), which is innermost. */
export type HandleMiddleware = (delivery: Delivery, next: () => Promise<unknown>) => Promise<unknown>
