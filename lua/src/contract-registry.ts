/** The registry of a namespace: which topics there are, and which groups take part in all that a pattern means. Its scripts run on `{$bus}`. */

/** A group that takes part in every topic that the pattern means. */
export interface GroupPattern {
  readonly group: string
  readonly pattern: string
}

export interface RegisterTopicRequest {
  topic: string
  /** How many it is made with, if it is new. */
  partitions: number
}
export interface RegisterTopicReply {
  nowMs: number
  /** How many it has. If that is another number than the request's, nothing was written. */
  partitions: number
  /** All that there are; who registers a topic declares the groups of those that mean it, before it publishes. */
  patterns: readonly GroupPattern[]
}

/** A topic that was deleted. */
export interface UnregisterTopicRequest {
  topic: string
}

export interface AddPatternReply {
  nowMs: number
  /** Otherwise there are as many as there may be, and nothing was written. */
  kept: boolean
  /** Patterns there are. */
  count: number
}
