/** A server that answers and refuses, or is no Redis: what that means to the user. */
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import { tlsFailure } from './tls-failure.js'

/** Of a command inside a script, in the words of Redis 7.0, of later ones and of 6.2. */
const STOPPED = /user executing the script|ACL failure in script/i

/** What a failed connection or preparation means to the user. Errors of the network are left as they are: trying again may help. */
export function refusal(error: unknown, address: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const tls = tlsFailure(error, address)
  if (tls !== undefined) return tls
  const { message } = error
  const code = isRedisFailure(error) ? error.reply : undefined
  if (code === 'NOAUTH' || /\bNOAUTH\b/.test(message)) {
    return new BuswayError(
      'REDIS_REFUSED',
      `Redis at ${address} needs a password. Put it into the address, redis://:password@host:port, or into the option redis: { username, password }.`,
      { cause: error },
    )
  }
  if (/WRONGPASS|invalid password|invalid username-password/i.test(message)) {
    return new BuswayError(
      'REDIS_REFUSED',
      `Redis at ${address} does not accept this user and password. Correct them in the address or the option redis.`,
      { cause: error },
    )
  }
  if (code === 'NOPERM' || /^NOPERM\b/.test(message)) {
    return new BuswayError(
      'REDIS_REFUSED',
      `Redis at ${address} does not permit this user what the bus needs (${message}). docs/security.md has what a producer, a consumer and an admin need; permit it with ACL SETUSER.`,
      { cause: error },
    )
  }
  if (STOPPED.test(message)) {
    return new BuswayError(
      'REDIS_FAILED',
      `Redis at ${address} stopped a script, since this user may not run one of its commands or touch one of its keys (${message}). Permit all that docs/security.md lists for what this service does.`,
      { cause: error },
    )
  }
  if (/unknown command/i.test(message)) return notRedis(address, error)
  if (/protocol error|unknown (?:RESP )?type|Please report this/i.test(message)) return notRedis(address, error)
  return error
}

export const notRedis = (address: string, cause: unknown): BuswayError =>
  new BuswayError(
    'REDIS_FAILED',
    `What answers at ${address} is not Redis, or not one that Busway can use. Check the address.`,
    { cause },
  )
