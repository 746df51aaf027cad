import type { MetricName } from './metrics.js'
import type { Ability, Peer } from './peer.js'
import { abilitiesLackedBy, type PeerName } from './peers/index.js'

/** One thing to measure: a function of a peer. Each is a file in `scenarios/`. */
export interface Scenario {
  readonly name: string
  /** What is done, in a few words. */
  readonly title: string
  /** What is reported, the most important first. */
  readonly metrics: readonly MetricName[]
  /** Peers that lack one of these do not take part. */
  readonly needs: readonly Ability[]
  /** Peers that take part though they lack what it needs: yardsticks, or the nearest thing that they have. */
  readonly guests?: readonly PeerName[]
  /** How many messages a measurement has, instead of what fits into its time. */
  readonly messages?: number
  /** So many at least, for percentiles that mean something. */
  readonly fewestMessages?: number
  /** So many at most, that Redis is not filled with what nobody looks at. */
  readonly mostMessages?: number
  /** So many rounds at most, of what takes long. */
  readonly mostRounds?: number
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
  /** Redis memory that all messages take, bytes. */
  bytes?: number
  /** Per cent. */
  ofLimit?: number
  /** While messages were handled, without what began and ended it. */
  handledPerSecond?: number
  /** Connections to Redis. */
  connections?: number
  /** CPU that processes other than the trial's own have used in the timed part, µs. */
  otherClientCpuUs?: number
}

/** Nobody pretends: who cannot do what is measured has no figure. */
export function takesPart(peer: PeerName, { needs, guests = [] }: Pick<Scenario, 'needs' | 'guests'>): boolean {
  return guests.includes(peer) || !needs.some((ability) => abilitiesLackedBy(peer).includes(ability))
}

/** Names the queues of a stage's passes, never the same twice. */
export function queueNames(scenario: string): () => string {
  let pass = 0
  return () => `${scenario}-${++pass}`
}
