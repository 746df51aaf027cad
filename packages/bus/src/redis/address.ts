/** Where Redis is: what the user gave, as ioredis' options and as text for people (never with a password). */
import type { RedisOptions } from 'ioredis'
import { BuswayError } from '../errors/busway-error.js'
import { shown } from '../validate/names.js'

export interface RedisAddress {
  readonly options: RedisOptions
  /** `127.0.0.1:6379` or a socket's path. */
  readonly text: string
  /** What to do when nothing answers there. */
  readonly advice: string
}

const fallback = 'redis://127.0.0.1:6379'

/** The `redis` option of a bus, else $REDIS_URL, else this machine. Throws CONFIG_INVALID. */
export function redisAddress(given: string | RedisOptions | undefined): RedisAddress {
  const options = typeof given === 'object' ? checkOptions(given) : parse(given ?? process.env.REDIS_URL ?? fallback)
  const path = options.path
  const host = options.host ?? '127.0.0.1'
  const port = options.port ?? 6379
  const text =
    path ??
    options.sentinels?.map((at) => `${at.host}:${at.port}`).join(', ') ??
    `${host.includes(':') ? `[${host}]` : host}:${port}`
  return {
    options: path ? { ...options, path } : { ...options, host, port },
    text,
    advice: adviceFor(options, host, port),
  }
}

function adviceFor(options: RedisOptions, host: string, port: number): string {
  const elsewhere = 'or say where it is with the option redis or $REDIS_URL'
  if (options.path) return `Start one: redis-server --unixsocket ${options.path}; ${elsewhere}`
  if (!/^(localhost|127\.|::1$)/.test(host))
    return `See that it runs and that the network lets this machine reach it, ${elsewhere}`
  return `Start one: redis-server --port ${port} (or docker run -p ${port}:6379 redis), ${elsewhere}`
}

function parse(url: string): RedisOptions {
  if (url.startsWith('/')) return { path: url }
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (cause) {
    // The text may hold a password, so it is not shown.
    throw invalid(`it is no URL (${url.length} characters)`, cause)
  }
  if (parsed.protocol === 'unix:') return { path: parsed.pathname }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:')
    throw invalid(`its scheme ${shown(parsed.protocol)} is not redis:// or rediss://`)
  const db = parsed.pathname.length > 1 ? Number(parsed.pathname.slice(1)) : 0
  if (!Number.isInteger(db) || db < 0) throw invalid(`its database ${shown(parsed.pathname.slice(1))} is no number`)
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: parsed.port ? Number(parsed.port) : 6379,
    ...(parsed.username ? { username: decodeURIComponent(parsed.username) } : {}),
    ...(parsed.password ? { password: decodeURIComponent(parsed.password) } : {}),
    ...(db > 0 ? { db } : {}),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}

function checkOptions(options: RedisOptions): RedisOptions {
  if ('cluster' in options) throw invalid('a cluster is not supported yet')
  if (options.keyPrefix) throw invalid('a keyPrefix is not supported; set the namespace of the bus instead')
  if (options.port !== undefined && !(Number.isInteger(options.port) && options.port > 0 && options.port < 65_536))
    throw invalid(`port ${String(options.port)} is not one`)
  return options
}

const invalid = (what: string, cause?: unknown): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `The address of Redis cannot be used: ${what}. It looks like redis://user:password@host:6379/0 or /path/to/redis.sock.`,
    { cause },
  )
