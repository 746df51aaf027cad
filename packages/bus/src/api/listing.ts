/** What listings show: pages, messages by their state, consumers. */

/** A page of a listing. Another follows if there is a `cursor`: hand it to the next call. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly cursor?: string
}

/** Which page. */
export interface PageOptions {
  /** At most this many items, 1 to 1,000; fewer where they are large. Default: 100. */
  limit?: number
  /** From the page before. Default: the first page. */
  cursor?: string
}

/** Which messages of a group, and which page of them. */
export interface PeekOptions<State extends PeekState = PeekState> extends PageOptions {
  /** Default: `ready`. */
  state?: State
}

/** Which messages that no group has yet, and which page of them. */
export interface TopicPeekOptions<State extends TopicPeekState = TopicPeekState> extends PageOptions {
  state: State
}

/** What every listing shows of a message, of a topic with bodies of type `Body`. */
export interface PeekedMessage<Body = unknown> {
  readonly id: string
  readonly topic: string
  readonly key?: string
  readonly headers: Readonly<Record<string, string>>
  /** Decoded, by the plugins too; the raw bytes if it can't be. */
  readonly body: Body | Uint8Array
  /** Attempts that failed. */
  readonly attempts: number
}

/** Waits to be taken. */
export interface ReadyMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'ready'
}

/** Waits behind another message of its key. */
export interface HeldMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'held'
}

/** A consumer has it: it runs, or is about to. */
export interface InFlightMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'inFlight'
  /** When it was handed over, by Redis' clock. */
  readonly since: Date
  readonly consumer: ConsumerIdentity
}

/** Waits for its next attempt. */
export interface RetryingMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'retrying'
  readonly dueAt: Date
  /** How many of its attempts ended with their process. */
  readonly crashes: number
  /** The last error. */
  readonly error: StoredError
}

/** A dead letter. */
export interface DeadLetter<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'dead'
  readonly crashes: number
  readonly reason: DeadReason
  /** The last error. */
  readonly error: StoredError
  readonly diedAt: Date
}

/** Published with a delay and not yet due: no group has it yet. */
export interface ScheduledMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'scheduled'
  readonly dueAt: Date
}

/** Published before there was any group; the first will have it. */
export interface UnclaimedMessage<Body = unknown> extends PeekedMessage<Body> {
  readonly state: 'unclaimed'
}

/** One message, and where each group has it. */
export interface MessageInfo<Body = unknown> {
  readonly id: string
  readonly topic: string
  readonly key?: string
  readonly headers: Readonly<Record<string, string>>
  /** Decoded, by the plugins too; the raw bytes if it can't be. */
  readonly body: Body | Uint8Array
  /** No group exists yet: the first will have it. */
  readonly unclaimed: boolean
  /** It was published with a delay and is not due: the groups that exist then will have it. */
  readonly dueAt?: Date
  /** By group, of those that have it or had it. A message that all have done is there as long as others of its batch are not. */
  readonly groups: Readonly<Record<string, MessageState>>
}

/** Where a group has a message. `attempts` are those that failed. */
export type MessageState =
  | { readonly state: 'scheduled'; readonly dueAt: Date }
  | { readonly state: 'ready' | 'held'; readonly attempts: number }
  | { readonly state: 'done' }
  | ({ readonly state: 'inFlight' } & Pick<InFlightMessage, 'attempts' | 'since' | 'consumer'>)
  | ({ readonly state: 'retrying' } & Pick<RetryingMessage, 'attempts' | 'crashes' | 'dueAt' | 'error'>)
  | ({ readonly state: 'dead' } & Pick<DeadLetter, 'attempts' | 'crashes' | 'reason' | 'error' | 'diedAt'>)

/** Why a message became a dead letter. */
export type DeadReason = 'attempts' | 'unrecoverable' | 'crashes' | 'expired' | 'undecodable' | 'cancelled'

/** An error as it is kept with a message. */
export interface StoredError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

type OfGroup<Body> =
  | ReadyMessage<Body>
  | HeldMessage<Body>
  | InFlightMessage<Body>
  | RetryingMessage<Body>
  | DeadLetter<Body>
type OfTopic<Body> = ScheduledMessage<Body> | UnclaimedMessage<Body>

/** Where a message of a group can be. */
export type PeekState = OfGroup<unknown>['state']
/** Where a message can be that no group has yet. */
export type TopicPeekState = OfTopic<unknown>['state']

/** A message of a group, told apart by its state. */
export type Peeked<Body = unknown, State extends PeekState = PeekState> = Extract<OfGroup<Body>, { state: State }>
/** A message that no group has yet, told apart by its state. */
export type TopicPeeked<Body = unknown, State extends TopicPeekState = TopicPeekState> = Extract<
  OfTopic<Body>,
  { state: State }
>

/** A consumer: one `consume` call of one process. What other clients do not say of themselves is missing. */
export interface ConsumerIdentity {
  /** Of its session; it has a new one after it lost its lease. */
  readonly id: string
  readonly service?: string
  readonly host?: string
  readonly pid?: number
}

/** A consumer that is alive. */
export interface ConsumerInfo extends ConsumerIdentity {
  /** When it began to consume, by Redis' clock. */
  readonly since?: Date
  /** If it is not heard of until then, others take over what it has. */
  readonly leaseEndsAt: Date
  /** It only finishes what runs. */
  readonly closing: boolean
  /** Messages that it has, running or about to. */
  readonly inFlight: number
  /** Ids of the messages that it most likely runs: the first that it was given, 10 at most. */
  readonly running: readonly string[]
}
