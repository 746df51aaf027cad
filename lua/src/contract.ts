/**
 * The requests and replies of every script, as TypeScript. Read this first: it is the whole interface between the client and Redis.
 * The rules behind it are in docs/data-model.md, the bytes of a batch in docs/wire-format.md.
 */

/** An argument of a script as it is sent. */
export type Arg = string | number | Uint8Array

/** One atomic operation: how its request becomes arguments and its raw reply (bulk strings as Buffers) a value. */
export interface Script<Request, Reply> {
  readonly name: ScriptName
  /** Sent after the two keys. */
  args(request: Request): Arg[]
  reply(raw: unknown): Reply
}

export type ScriptName =
  | 'register-topic'
  | 'unregister-topic'
  | 'add-pattern'
  | 'declare'
  | 'publish'
  | 'relay'
  | 'outbox-read'
  | 'outbox-trim'
  | 'open'
  | 'advance'
  | 'advance-publishing'
  | 'seen'
  | 'sync'
  | 'close'
  | 'watch'
  | 'progress'
  | 'settled'
  | 'stats'
  | 'pause'
  | 'peek'
  | 'consumers'
  | 'set-concurrency'
  | 'dead-letters'
  | 'redrive'
  | 'message'
  | 'cancel'
  | 'update'
  | 'purge'
  | 'remove-group'
  | 'purge-topic'
  | 'delete-topic'

/** `<group>@<generation>`, as `open` and `declare` answer it. */
export type GroupRef = string & { readonly '~group'?: never }

// ---- declare: registers a producer session with number 0, makes `meta` and the declared groups, keeps settings. Repeatable.

export interface DeclareRequest {
  session?: string
  groups?: readonly string[]
  /** Of the topic, for whoever publishes or consumes. `''` unsets one; what is not named stays as it is. */
  settings?: TopicSettings
}
/** What the scripts go by, as text: names are letters and digits, values have no `;`. */
export type TopicSettings = Readonly<Record<string, string | number>>
export interface DeclareReply {
  nowMs: number
}

// ---- publish

export interface BatchToPublish {
  value: Uint8Array
  /** The publisher's own id, without `=`. Such a batch has one message. */
  id?: string
  /** Relative, from Redis' now; or `dueAtMs` absolute. */
  delayMs?: number
  dueAtMs?: number
  front?: boolean
  /** The expiries in its table are milliseconds from Redis' now; the script makes them moments. */
  expiresRelative?: boolean
}
/** Arguments of the publish guard `guard` (its position among the registered publish guards) for message `message` (its position in the request, over all batches). */
export interface PublishGuardCall {
  message: number
  guard: number
  args: readonly Arg[]
}
/** Per guard, by its position: the names of its keys, relative to the topic's prefix. `ScriptSet.guardKeys` makes them. */
export type GuardKeys = readonly (readonly string[])[]
export interface PublishRequest {
  session: string
  number: number
  lowestUnanswered: number
  batches: readonly BatchToPublish[]
  /** Sizes, in messages, of the callers' units, in order. Left out: each message is one. */
  units?: readonly number[]
  /** The producer keeps units for which there is no room, so all that is behind them is refused as well; `bus` is told when there is room. */
  keeps?: { readonly bus?: string }
  guardCalls?: readonly PublishGuardCall[]
  /** Needed with `guardCalls`. */
  guardKeys?: GuardKeys
}
/** The name of the kernel's own guard: so many messages wait that there is no room for the unit. With `retryMs` there may be later. */
export const MAX_WAITING = 'maxWaiting'
/** What became of a message that was not plainly accepted. `reject` is told for every message of its unit. */
export type PublishOutcome =
  | { message: number; verdict: 'duplicate'; id: string }
  | { message: number; verdict: 'reject'; guard: string; reason: string; retryMs?: number }
/** `ok` also answers a repeated request. `gap`: the server's last number; a server below what it confirmed was rolled back. */
export type PublishReply =
  | {
      status: 'ok'
      nowMs: number
      outcomes: readonly PublishOutcome[]
      guardErrors: readonly GuardError[]
      /** What was replaced has left reports in the topic's outbox: relay them. */
      outbox: boolean
    }
  | { status: 'gap'; last: number }
  | { status: 'unknown' }
  /** The topic was deleted: `declare` begins it anew. This producer is forgotten, and what it asked for has not happened. */
  | { status: 'deleted' }
/** An `apply` that failed: reported, without effect on the outcome. */
export interface GuardError {
  guard: string
  error: string
}

/** The id under which batch `n` of a request is stored when it has no own id. */
export const batchId = (session: string, request: number, n: number): string => `${session}-${request}-${n}`

// ---- open: makes the group if need be (inheriting `unclaimed` if it is the topic's first), registers the session
// with epoch 0 and 0 requests applied. Repeatable. Session ids are unique over all topics: they number outbox entries too.

export interface OpenRequest {
  group: string
  session: string
  leaseMs: number
  concurrency: number
  maxCrashes: number
  /** Shown by `consumers`: JSON of host, pid, since ... */
  info: string
  deadMax: number
  deadKeepMs: number
  /** How many messages of the group may be in flight, if its option says so. It counts if it is another than the last that came. */
  limit?: number
  /** The subscription has had a session before: its limit is no news, but for a group that never heard of any. */
  reopened?: boolean
  /** If the group is new it begins with what the topic retains. */
  fromBeginning?: boolean
  /** It takes what is pushed: a message leased to it, while it waits, by the publish, and sent with the wake-up. */
  takesPushes?: boolean
}
export interface OpenReply {
  nowMs: number
  /** The group would be new, and the topic retains nothing to begin with. Nothing was done. */
  retainsNothing: boolean
  /** The topic was deleted: `declare` begins it anew. Nothing was done. */
  deleted: boolean
  group: GroupRef
  recovered: Recovered | undefined
  outbox: boolean
  /** The group has a limit: what is held unstarted takes places from others. */
  limited: boolean
}
export interface Recovered {
  ranges: number
  crashed: number
  dead: number
  more: boolean
}

// ---- seen: a session has what was pushed to it. Best effort: its next request says so as well.

export interface SeenRequest {
  group: GroupRef
  session: string
  /** It, and all before it. */
  lease: number
}

// ---- advance

/** Part `from`..`from + count - 1` (positions in the batch) of a lease; without them, all of its range. */
export interface LeasePart {
  lease: number
  from?: number
  count?: number
}
export interface StagedPublish {
  /** Another topic goes through the outbox; the same one is published in the script itself. */
  topic: string
  batch: BatchToPublish
  /** `message` is the position in the batch. A settle cannot be undone, so `reject` counts as `pass` here. */
  guardCalls?: readonly PublishGuardCall[]
  /** Needed with `guardCalls`; of `topic`. */
  guardKeys?: GuardKeys
}
export interface SettleGuardCall {
  guard: number
  args: readonly Arg[]
}
/** Settles one message. Whole ranges that are done need none: see `acks`. */
export type Settle = { lease: number; index: number; guardCalls?: readonly SettleGuardCall[] } & (
  | {
      outcome: 'done'
      /** JSON, for `reportTo`; or `!` and an error as JSON: why there is none. */
      result?: string
      staged?: readonly StagedPublish[]
    }
  | { outcome: 'retry'; delayMs: number; counted: boolean /** JSON */; error: string }
  | { outcome: 'dead'; reason: string /** JSON */; error: string }
)
export interface AdvanceRequest {
  group: GroupRef
  session: string
  epoch: number
  number: number
  /** Messages and bytes the client has room for. 0: none, and it does not wait for any. */
  want: number
  wantBytes: number
  /** Done without anything to say about them. */
  acks: readonly LeasePart[]
  /** Given back unstarted. */
  releases: readonly LeasePart[]
  settles: readonly Settle[]
  /** Arguments of the fetch guards that this subscription has. */
  fetchGuardCalls?: readonly SettleGuardCall[]
  /** Needed for the kinds of guards that are called. */
  guardKeys?: { fetch?: GuardKeys; settle?: GuardKeys }
  /** Also recovers, trims and looks at the outbox. */
  renew: boolean
}
export interface FetchedRange {
  lease: number
  batch: string
  /** Position of the first message in its batch. */
  from: number
  count: number
  /** Of the whole batch. */
  total: number
  /** It may have been run before: a session that held it is gone, or it was a dead letter. */
  again: boolean
  /** Its ordering key. Ranges of one key are handed over in their order, and to one session at a time. */
  key?: string
  /** The ordering keys of its messages, if each has one of its own. */
  keys?: readonly string[]
  /** A slice in the wire format with `count` messages; null if Redis has lost it. */
  value: Buffer | null
  /** Of a message that failed before (then count is 1). */
  failure?: { attempts: number; crashes: number }
  /** Positions (0 .. count - 1) already done or skipped by a guard: not to be run. */
  skip?: readonly number[]
}
export type AdvanceReply =
  | {
      status: 'ok'
      nowMs: number
      /** Milliseconds until something is due, if this session holds the timer, or until a fetch guard wants to be asked again. */
      dueMs?: number
      /** Highest lease number of the session. One that the client has not seen forces a sync. */
      lastLease: number
      /** Takable work remains. */
      more: boolean
      paused: boolean
      /** This session is to run dry, so that it can take a suspect alone. Told in each reply for as long as it makes sense. */
      drain: boolean
      /** The session holds a suspect, which runs alone: the one range fetched here, or before. */
      solo: boolean
      /** The outbox has entries: relay them. */
      outbox: boolean
      /** All that was taken had expired or was known to guards; there may be more: ask again. */
      gone: boolean
      /** Somebody wants to know what happens to this topic's messages, so results are worth sending. */
      watched: boolean
      /** The group has a limit: what is held unstarted takes places from others. */
      limited: boolean
      recovered?: Recovered
      /** Leases named by settles that the session does not hold. */
      refused: readonly number[]
      ranges: readonly FetchedRange[]
      guardErrors: readonly GuardError[]
    }
  | { status: 'resync' }
  | { status: 'lost' }

// ---- sync: `epoch` is the new one, higher than any the client used. `held` are those of `known` that it holds, `unknown` what it holds beside them.

export interface SyncRequest {
  group: GroupRef
  session: string
  epoch: number
  known: readonly number[]
}
export type SyncReply =
  | {
      status: 'ok'
      nowMs: number
      applied: number
      lastLease: number
      held: readonly number[]
      unknown: readonly FetchedRange[]
    }
  | { status: 'lost' }

// ---- close

export interface CloseRequest {
  group: GroupRef
  session: string
  running: readonly LeasePart[]
}
export type CloseReply = { status: 'ok'; released: number } | { status: 'lost' }

// ---- watching: who subscribes to the channel `events` says so here, and again before the time is over. What is told there is in docs/wire-format.md.

export interface WatchRequest {
  /** 0: no longer. */
  forMs: number
}
export interface WatchReply {
  nowMs: number
  /** It was watched before; if not, nothing was told until now. */
  wasWatched: boolean
}
/** What those that consume are told on their wake channels when somebody begins to watch. */
export const WATCHED = 'watched'

export interface ProgressRequest {
  group: GroupRef
  session: string
  lease: number
  /** Position in the batch. */
  index: number
  attempt: number
  /** JSON. */
  value: string
}
export interface ProgressReply {
  watched: boolean
}

// ---- settled: how a message ended, as far as that is known.

export interface SettledRequest {
  /** As its publisher or consumer knows it. */
  id: string
  /** Default: whichever ended it. */
  group?: string
}
export interface SettledReply {
  nowMs: number
  /** A group has not ended it. */
  open: boolean
  /** Groups that have; without one, nobody had it yet. */
  ended: readonly {
    group?: string /** JSON of a report with its `time`; absent where nothing was kept. */
    report?: string
  }[]
}

// ---- outbox

export interface OutboxEntry {
  destination: string
  tag: string
  entry: Buffer
}
export interface OutboxReadRequest {
  limit: number
}
export interface OutboxReadReply {
  entries: readonly OutboxEntry[]
  more: boolean
}
/** At the destination, whose `declare` has run. */
export interface RelayRequest {
  entries: readonly Buffer[]
}
export interface RelayReply {
  nowMs: number
  applied: number
  guardErrors: readonly GuardError[]
  /** What was replaced has left reports in the destination's own outbox: relay them. */
  outbox: boolean
  /** The destination was deleted: `declare` begins it anew. Nothing was done. */
  deleted: boolean
}
export interface OutboxTrimRequest {
  destination: string
  tags: readonly string[]
}
export interface OutboxTrimReply {
  left: number
}

// ---- administration

export interface StatsReply {
  nowMs: number
  scheduled: number
  unclaimed: number
  /** Entries of the outbox: published by this topic's settles, not yet relayed. */
  outbox: number
  retained: number
  groups: Record<
    string,
    {
      ref: GroupRef
      ready: number
      inFlight: number
      retrying: number
      held: number
      dead: number
      paused: boolean
      consumers: number
      oldestReadyMs: number
      /** The group's limit, if it has one. */
      groupConcurrency?: number
      /** Retained messages that a group from the beginning has still to be given. */
      replaying?: number
    }
  >
}
export interface PauseRequest {
  group: string
  paused: boolean
}
/** `found`: the group exists. */
export interface PauseReply {
  found: boolean
}
export interface SetConcurrencyRequest {
  group: string
  /** Left out: none. */
  limit?: number
}
export interface DeadLettersRequest {
  group: string
  limit: number
  /** Of bodies: what is larger ends the page, but for its first. */
  bytes: number
  cursor?: string
}
export interface DeadLetterItem {
  batch: string
  value: Buffer
  attempts: number
  crashes: number
  reason: string
  error: string
  diedAtMs: number
}
export interface DeadLettersReply {
  items: readonly DeadLetterItem[]
  cursor?: string
}
/** `ids` are batch ids; or those that died up to `untilMs`, the last `limit` of them first. */
export interface RedriveRequest {
  group: string
  ids?: readonly string[]
  untilMs?: number
  limit: number
}
/** A page: groups follow until there is no `cursor`. */
export interface MessageRequest {
  id: string
  cursor?: string
}
/** Where a group has a message. It says nothing of groups that were not given it. */
export interface MessagePlace {
  group: string
  state: 'scheduled' | 'ready' | 'held' | 'inFlight' | 'retrying' | 'dead' | 'done'
  /** Of one that is in flight or dead: when it was leased or died. */
  sinceMs?: number
  /** Of one that is scheduled or retried. */
  dueAtMs?: number
  attempts: number
  crashes: number
  reason: string
  /** JSON; '' if there is none. */
  error: string
  /** Who holds it, and what it said of itself when it opened its session. */
  session?: string
  info?: string
}
export interface MessageReply {
  nowMs: number
  /** A slice in the wire format with one message; null if Redis has lost it. */
  value: Buffer | null
  /** There is no group yet: the first will have it. */
  unclaimed: boolean
  /** It is scheduled: those groups will have it that are there then. */
  dueAtMs?: number
  /** Of all of them may say `done`: then only its batch lives. */
  places: readonly MessagePlace[]
  cursor?: string
}
/** Again with the reply's cursor, and the same token, until there is none. */
export interface CancelRequest {
  id: string
  /** Fresh for each message that is cancelled: sent again, it is answered the same. */
  token: string
  cursor?: string
  /** Whoever holds it is told: `<group> <session> cancel <lease> <index>` on the wake channel of its bus. */
  tell: boolean
}
export interface CancelReply {
  /** By how many groups, in all calls with this token; 1 if no group had it. */
  ended: number
  /** By how many groups it is held, in this call; and how many of these were told. */
  held: number
  told: number
  outbox: boolean
  cursor?: string
}
/** Again with the reply's cursor, and the same token, until there is none. */
export interface UpdateRequest {
  id: string
  /** Fresh for each change: sent again, it is answered the same. */
  token: string
  cursor?: string
  /** From now. */
  delayMs?: number
  bytes?: {
    /** The message as a batch of one, with its new priority and body. */
    value: Uint8Array
    /** SHA-1, in hexadecimal, of the bytes that it is made from. */
    replacing: string
    /** Its priority is another. A message with an ordering key keeps the one that it has. */
    prioritized: boolean
  }
}
export type UpdateReply =
  /** Nothing of it is left. */
  | { status: 'gone' }
  /** Its bytes are others by now: read them again. Nothing was changed. */
  | { status: 'stale' }
  | {
      status: 'ok'
      nowMs: number
      /** In how many groups it waited, in all calls with this token; 1 if no group had it. */
      changed: number
      /** By how many groups it is held, in this call: these go on as they were. */
      held: number
      cursor?: string
    }
export interface PurgeRequest {
  group: string
  what: 'waiting' | 'dead'
  limit: number /** Fresh producer id for reports. */
  producer: string
  untilMs?: number
}
export interface CountReply {
  count: number
  more: boolean
}
/** Removes a group in steps: hidden at the first, gone when `more` is false. */
export interface RemoveGroupRequest {
  group: string
  limit: number
  producer: string
}
