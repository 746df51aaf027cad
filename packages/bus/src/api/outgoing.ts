/** Messages on their way out. */

/** A message on its way out. What `enrich` and `encode` change here is what is published. */
export interface Outgoing {
  /** A value up to `encode`; a `Uint8Array` is published as it is, anything else as JSON. Bytes that a plugin puts here are the bus' from then on. */
  body: unknown
  /** Says what the bytes are once a plugin has encoded them. */
  contentType: string
  /** A copy of its own: may be added to. */
  headers: Record<string, string>
  /** The options of the publish, the plugins' own among them, already checked. */
  readonly options: Readonly<Record<string, unknown>>
  /** Keys, named as in a guard's `keys`, that are deleted when the message ends if their value is its id; wherever and by whatever it ends. */
  owns?: string[]
  /**
   * What a guard remembers the message by, as text: in a topic with partitions all that have the same are in one. A message whose partition is chosen otherwise, by
   * an ordering key or an own id that is another text, is refused with `CONFIG_INVALID`.
   */
  partitionBy?: string[]
  /** The encoded body's size in bytes, set by the kernel: there when `next()` has resolved. */
  bodyBytes?: number
  /** Who is told how the message ended, for each group: `Report`. */
  reportTo?: ReportTopic | ReportRequester
}

/** A topic that receives reports. */
export interface ReportTopic {
  topic: string
  /** The ordering key of the reports. */
  key?: string
}

/** A bus that waits for the report: set by `bus.request`. A plugin that sets another takes the reply away from whoever waits. */
export interface ReportRequester {
  readonly requester: string
  readonly request: string
  /** Nobody waits any longer. */
  readonly timeoutMs: number
}

/** What a topic named by `reportTo` receives as a body, once for each group that ended the message. Its type is `busway.report`. */
export interface Report {
  readonly id: string
  /** Absent where no group had it yet: a waiting message that was replaced or purged. */
  readonly group?: string
  /** Whether every group that had it has ended it now, this one being the last. A dead letter that is redriven ends anew. */
  readonly last: boolean
  readonly outcome: 'done' | 'dead' | 'purged' | 'expired' | 'cancelled' | 'replaced' | 'removed'
  readonly result?: unknown
  readonly error?: { readonly name: string; readonly message: string }
}

/** The messages of one `publish`, `publishBatch` or `ctx.publish`. */
export interface PublishBatch {
  readonly topic: string
  readonly messages: readonly Outgoing[]
  /** `settle`: a handler's `ctx.publish`, sent with its settle; its receipts are only promises of it. */
  readonly via: 'publish' | 'settle' | 'outbox'
}
