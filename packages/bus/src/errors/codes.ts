/**
 * Every code a `BuswayError` can have, with what happened and what to do. Codes are stable: programs may switch on them.
 *
 * @example
 * console.log(codes[error.code])
 */
export const codes = {
  /** The topic's name or pattern is not allowed. Nothing was written. */
  INVALID_TOPIC: 'A topic is 1 to 200 of A-Z a-z 0-9 . _ -, in tokens separated by dots; correct the name.',
  /** The consumer group's name is not allowed. Nothing was written. */
  INVALID_GROUP: 'A group is 1 to 100 of A-Z a-z 0-9 . _ -; correct the name.',
  /** The topic has no such consumer group. Nothing was written. */
  UNKNOWN_GROUP: 'Correct the name, or start a consumer of it first; the message names the nearest group.',
  /** The namespace keeps a thousand patterns of groups: there can be no more. Nothing was written; the subscription has not started. */
  TOO_MANY_PATTERNS: 'Remove those of groups that are gone: `bus.patterns()`, `bus.removePattern(pattern, { group })`.',
  /** The message is not there, and how it ended was not kept. */
  UNKNOWN_MESSAGE: 'Correct the id, or publish with `keepResult` what you ask for after its end.',
  /** `delete` of a topic that has live consumers, messages that wait, or an outbox under way; `details` counts them. Nothing was deleted. */
  TOPIC_IN_USE: 'Close its consumers and let its messages be handled, or purge them; or delete it by force.',
  /** An option is unknown, has the wrong type, or is out of its range. Nothing was written. */
  INVALID_OPTIONS: 'The message names the option and what it takes; correct it.',
  /** The body cannot be encoded, or does not fit the topic's schema. Nothing was written. */
  INVALID_BODY: 'The message names the path inside the body; correct the value there.',
  /** One message is larger than the bus' `maxPayload`. Nothing was written. */
  PAYLOAD_TOO_LARGE: 'Store the payload elsewhere and publish a reference, or raise maxPayload.',
  /** A `publishBatch` of more than 1,000 entries or 1 MiB. Nothing was written. */
  BATCH_TOO_LARGE: 'Split it: a batch is all or none, so it must fit one script call.',
  /**
   * A plugin's guard refused the message, or as many messages wait as may (`details.guard` is `maxWaiting`); `details` has `guard`, `reason` and perhaps
   * `retryMs`. Nothing was written.
   */
  PUBLISH_REJECTED:
    'See details.reason; where details.retryMs is set, publish again after that time, and after maxWaiting when consumers have caught up.',
  /**
   * The request was sent and the connection failed until `publishTimeout`: the publish may or may not have happened. Or it has, and the `durability` asked for
   * was not confirmed: it may not last.
   */
  PUBLISH_UNKNOWN: 'Publish again with an id of your own (or the dedupe plugin) where twice would be wrong.',
  /** Redis could not be reached: nothing was sent. */
  REDIS_UNAVAILABLE: 'Start Redis, or correct its address; publishing again is safe.',
  /** Redis is over its `maxmemory`: the publish was refused whole. */
  REDIS_OUT_OF_MEMORY:
    'Raise maxmemory or let consumers catch up (they go on and free memory); publishing again is safe.',
  /** The server is older than Redis 6.2. */
  REDIS_TOO_OLD: 'Upgrade to Redis 6.2 or newer, or Valkey.',
  /** Redis answers but refuses, or is refused: a password, a permission, a certificate, a read-only replica. Nothing was written. */
  REDIS_REFUSED:
    'The message says what Redis asks for: a password, a permission, a certificate, or the address of the primary.',
  /** What answered makes no sense: not a Redis, foreign data under the namespace, or a bug in a script. */
  REDIS_FAILED: 'Check the address and that the namespace belongs to Busway alone; otherwise report it with the cause.',
  /** The configuration cannot keep what it promises (eviction policy, plugins that miss or exclude each other, a config file, partitions). */
  CONFIG_INVALID: 'The message says which setting, where, and what it should be.',
  /** A plugin broke its contract: a second `next()`, one not awaited, a publish without receipts, arguments that are none. */
  PLUGIN_MISUSE: 'The message names the plugin; correct or upgrade it.',
  /** The consumer lost its lease: its result and its staged publishes were refused, the message runs elsewhere. */
  LEASE_LOST: 'Nothing to undo in Redis. Raise `lease`, or keep the event loop free (the sandbox plugin).',
  /** No reply came in time. The request may still be handled. */
  REQUEST_TIMEOUT: 'Raise the timeout, or see whether the topic has a consumer.',
  /** The request ended without a reply (see `RequestError`), or with one that does not fit the topic's schema (`details.issues`). */
  REQUEST_FAILED: 'See the message: what the handler threw in its last attempt, or why there is no reply.',
  /** The message had not ended in time. Nothing was done to it. */
  SETTLED_TIMEOUT: 'Raise the timeout, or see whether the topic has a consumer and what its retries take.',
  /** The message was cancelled: the reason of `ctx.signal`, and of its dead letter. */
  CANCELLED: 'Let the handler stop: pass ctx.signal on to what it waits for.',
  /** A handler ran longer than its `timeout`. */
  HANDLER_TIMEOUT: 'Pass ctx.signal on to what the handler waits for, or raise `timeout`.',
  /** A sandboxed handler's thread or process ended before it did: out of memory, a crash, an exit. The run is a failed attempt. */
  SANDBOX_FAILED: 'See the cause; raise the sandbox’s memoryLimit if it ran out of memory.',
  /** The bus is closing or closed. Nothing was sent. */
  BUS_CLOSED: 'Publish before close(), or create another bus.',
  /** `use()` after the bus has started. */
  BUS_STARTED: 'Register plugins before ready() and before the first publish or consume.',
  /** A second subscription to one topic and group in one bus. */
  DUPLICATE_SUBSCRIPTION: 'Raise `concurrency` of the first, close it, or give the second a group of its own.',
  /** Stored bytes that are no envelope, or a body that its content type cannot decode. The message goes to the dead letters. */
  UNDECODABLE: 'See the cause; redrive after a consumer that understands it is deployed.',
  /** A handler asked for a retry: see `RetryAfterError`. */
  RETRY_AFTER: 'Thrown by handlers.',
  /** A handler gave its message up: see `UnrecoverableError`. */
  UNRECOVERABLE: 'Thrown by handlers.',
  /** A batch handler failed some of its messages: see `BatchError`. */
  BATCH_FAILED: 'Thrown by batch handlers.',
} as const

/** The stable code of a {@link BuswayError}. */
export type BuswayErrorCode = keyof typeof codes
