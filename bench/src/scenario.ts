import type { MetricName } from './metrics.js'
import type { Peer } from './peer.js'

/** One thing to measure: a function of a peer. Each is a file in `scenarios/`. */
export interface Scenario {
  readonly name: string
  /** What is done, in a few words. */
  readonly title: string
  /** What is reported, the most important first. */
  readonly metrics: readonly MetricName[]
  /** Prepares what all passes share, such as a second process. */
  open(peer: Peer, surroundings: Surroundings): Promise<Stage>
}

export interface Surroundings {
  redisUrl: string
}

export interface Stage {
  /**
   * Sends `messages` messages through the peer once, in a queue of its own; warm-up and measurement are the same code.
   * `timed` runs the part that counts, once: everything before and after it is preparation.
   */
  pass(messages: number, timed: (work: () => Promise<Findings>) => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** What a timed part knows besides how long it took. */
export interface Findings {
  /** One figure per message, µs. */
  latenciesUs?: Float64Array
  /** CPU that processes other than the trial's own have used in the timed part, µs. */
  otherClientCpuUs?: number
}

/** Names the queues of a stage's passes, never the same twice. */
export function queueNames(scenario: string): () => string {
  let pass = 0
  return () => `${scenario}-${++pass}`
}
