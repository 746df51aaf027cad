/** Why a script's reply is missing, from what ioredis and Redis say. What may be concluded from it decides whether a publish is sent again. */
import type { FailureKind, RedisFailure } from '../seams.js'

/** See {@link RedisFailure}. */
export class RedisFailureError extends Error implements RedisFailure {
  readonly kind: FailureKind
  readonly reply?: string

  constructor(kind: FailureKind, message: string, options: { reply?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.kind = kind
    if (options.reply !== undefined) this.reply = options.reply
  }

  override get name(): string {
    return 'RedisFailure'
  }
}

/** Codes with which Redis refuses a script before it has written anything. */
const refusals = new Set([
  'OOM',
  'BUSY',
  'LOADING',
  'NOSCRIPT',
  'READONLY',
  'TRYAGAIN',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'NOAUTH',
  'NOPERM',
  'WRONGPASS',
  'MOVED',
  'ASK',
  'CROSSSLOT',
  'NOREPLICAS',
  'MISCONF',
])

/**
 * Refusals that pass by themselves or that a reload heals; the others ask for somebody's hand. While a slot of a cluster is on its way, the node that it
 * leaves answers ASK and the one that it goes to would answer TRYAGAIN, since one key of every script never exists: its topics wait until it has arrived.
 */
const passing = new Set([
  ...['BUSY', 'LOADING', 'NOSCRIPT', 'MASTERDOWN', 'OOM', 'NOREPLICAS'],
  ...['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'],
])

export const isPassing = (failure: RedisFailure): boolean =>
  failure.kind === 'refused' && failure.reply !== undefined && passing.has(failure.reply)

/** Before Redis 7 the refusal of a script's first write is told inside the script's own error. */
const embedded = /(?:@user_script[^:]*:\s*\d+:\s*|^ERR\s.*)-?(OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN)\s/

/**
 * The error that Redis answered (ioredis' ReplyError). It is no cause of this one: it says the same again, and it carries the arguments of the
 * command, which may be somebody's messages.
 */
export function fromReply({ message }: Error): RedisFailureError {
  const code = /^([A-Z][A-Z0-9]*)(?=\s|$)/.exec(message)?.[1]
  if (code !== undefined && refusals.has(code)) return new RedisFailureError('refused', message, { reply: code })
  const inner = embedded.exec(message)?.[1]
  if (inner !== undefined) return new RedisFailureError('refused', message, { reply: inner })
  return new RedisFailureError('failed', message, code === undefined ? {} : { reply: code })
}

export const isRedisFailure = (error: unknown): error is RedisFailureError => error instanceof RedisFailureError
