/** The numbers of docs/wire-format.md. */

export const VERSION = 1
export const EXPIRES = 1
export const EXTRAS = 2
/** version, flags, count, time, propsLength */
export const HEADER_BYTES = 12
/** Follows each body, so that a batch of JSON bodies is one parse. */
export const SEPARATOR = 0x2c
export const JSON_TYPE = 'application/json'

/** At most so many messages, and bytes of bodies, does a producer write to a batch; a larger message is a batch of one. */
export const BATCH_MESSAGES = 128
export const BATCH_BYTES = 256 * 1024

export const Property = { source: 1, key: 2, priority: 3, owns: 4, reportTo: 5, id: 6, keepResult: 7, keys: 8 } as const
/** Between the keys of a batch's messages, so none of them has it. */
export const KEY_SEPARATOR = '\n'
/** Properties from here on may be skipped by a reader that does not know them. */
export const FIRST_OPTIONAL_PROPERTY = 128
export const Extra = { type: 1, contentType: 2, header: 3 } as const

/** A topic, or a requester that waits until a moment by Redis' clock. */
export type ReportTo =
  | { readonly topic: string; readonly key?: string }
  | { readonly requester: string; readonly request: string; readonly untilMs: number }

/** What is said once for all messages of a batch. */
export interface BatchProperties {
  source: string
  key?: string
  priority?: number
  owns?: readonly string[]
  reportTo?: ReportTo
  /** The message's own id. */
  id?: string
  /** How long it is kept how each group ended it, in milliseconds from then. */
  keepResultMs?: number
  /** The key of each message, instead of one that all have; of several messages that have nothing else of their own. */
  keys?: readonly string[]
}
