/** Ids: what a message is called, and where it is. */
import { randomBytes } from 'node:crypto'

/**
 * The id of the message at `position` of the whole batch `batch` (for a fetched range: `from` + its index).
 *
 * @example
 * messageId('Xk3_9aQz-128-0', 37) // 'Xk3_9aQz-128-0.37'
 * messageId('Xk3_9aQz-128-0.37', 0) // the same: it was rehomed
 * messageId('=order-7', 0) // 'order-7'
 */
export function messageId(batch: string, position: number): string {
  if (batch.charCodeAt(0) === 0x3d /* = */) return batch.slice(1)
  // Session ids hold no dot: with one, the batch is a rehomed message and its id the message's.
  return batch.includes('.') ? batch : `${batch}.${position}`
}

/** 8 characters of A-Z a-z 0-9 - _, 48 bits: a bus, or a producer session. */
export const randomId = (): string => randomBytes(6).toString('base64url')
