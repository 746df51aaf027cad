/** Where Redis is: what the user gave, as ioredis' options and as text for people (never with a password). */
import type { RedisOptions } from 'ioredis'
import type { ClusterNode, ClusterOptions } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { shown } from '../validate/names.js'

export type { ClusterNode }

export interface RedisAddress {
  readonly options: RedisOptions
  /** `127.0.0.1:6379` or a socket's path. */
  readonly text: string
  /** What to do when nothing answers there. */
  readonly advice: string
  /** Which server is the primary is asked at each connection: a replica found instead is news that has not arrived everywhere. */
  readonly isFollowed: boolean
  /** Nodes of a cluster, to ask which others there are; `options` are those of all. */
  readonly cluster?: readonly ClusterNode[]
  readonly isClusterNode?: boolean
}

const fallback = 'redis://127.0.0.1:6379'

/** The `redis` option of a bus, else $REDIS_URL, else this machine. Throws CONFIG_INVALID. */
export function redisAddress(given: string | RedisOptions | ClusterOptions | undefined): RedisAddress {
  const parsed = typeof given === 'object' ? given : parse(given ?? process.env.REDIS_URL ?? fallback)
  if ('cluster' in parsed) return clusterAddress(parsed)
  const options = checkOptions(parsed)
  const path = options.path
  const host = options.host ?? '127.0.0.1'
  const port = options.port ?? 6379
  const text = path ?? (options.sentinels === undefined ? textOf(host, port) : listOf(options.sentinels))
  return {
    options: path ? { ...options, path } : { ...options, host, port },
    text,
    advice: adviceFor(options, host, port),
    isFollowed: options.sentinels !== undefined,
  }
}

function clusterAddress({ cluster, ...options }: ClusterOptions): RedisAddress {
  if (!Array.isArray(cluster) || cluster.length === 0 || cluster.some((node) => typeof node?.host !== 'string'))
    throw invalid('cluster is a list of { host, port }, with one at least')
  for (const name of ['host', 'port', 'path', 'sentinels', 'name', 'db'] as const)
    if (name in options) throw invalid(`beside cluster there is no ${name}`)
  checkOptions(options)
  for (const { port } of cluster) checkPort(port)
  const nodes = cluster.map(({ host, port = 6379 }) => ({ host, port }))
  return {
    options,
    text: listOf(nodes),
    advice: 'See that the nodes of this cluster run and that the network lets this machine reach all of them',
    isFollowed: true,
    cluster: nodes,
  }
}

/** One node of a cluster. */
export function nodeAddress(cluster: RedisAddress, { host, port = 6379 }: ClusterNode): RedisAddress {
  return {
    options: { ...cluster.options, host, port },
    text: textOf(host, port),
    advice: cluster.advice,
    isFollowed: true,
    isClusterNode: true,
  }
}

const textOf = (host = '127.0.0.1', port = 6379): string => `${host.includes(':') ? `[${host}]` : host}:${port}`
const listOf = (nodes: readonly { host?: string; port?: number }[]): string =>
  nodes.map(({ host, port }) => textOf(host, port)).join(', ')

function adviceFor(options: RedisOptions, host: string, port: number): string {
  const elsewhere = 'or say where it is with the option redis or $REDIS_URL'
  if (options.sentinels)
    return `See that these Sentinels run, that they name a primary for ${shown(options.name)}, and that the network lets this machine reach both, ${elsewhere}`
  if (options.tls)
    return `See that it runs, that this is its tls-port, and that the network lets this machine reach it, ${elsewhere}`
  if (options.path) return `Start one: redis-server --unixsocket ${options.path}; ${elsewhere}`
  if (!/^(localhost|127\.|::1$)/.test(host))
    return `See that it runs and that the network lets this machine reach it, ${elsewhere}`
  return `Start one: redis-server --port ${port} (or docker run -p ${port}:6379 redis), ${elsewhere}`
}

/** `redis+cluster://` (with TLS `rediss+cluster://`): a node of a cluster. */
function parse(url: string): RedisOptions | ClusterOptions {
  const [, tls = '', rest = ''] = /^redis(s?)\+cluster:(.*)$/s.exec(url) ?? []
  if (rest === '') return parseServer(url)
  const { host = '', port = 6379, db, ...options } = parseServer(`redis${tls}:${rest}`)
  if (db !== undefined) throw invalid('a cluster has no databases')
  return { ...options, cluster: [{ host, port }] }
}

function parseServer(url: string): RedisOptions {
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
  if (options.keyPrefix) throw invalid('a keyPrefix is not supported; set the namespace of the bus instead')
  checkPort(options.port)
  if (options.sentinels !== undefined) checkSentinels(options)
  return options
}

function checkPort(port: unknown): void {
  if (port === undefined || (Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536)) return
  throw invalid(`port ${String(port)} is not one`)
}

function checkSentinels({ sentinels, name, role }: RedisOptions): void {
  const isList = Array.isArray(sentinels) && sentinels.length > 0
  if (!isList || sentinels.some((at) => typeof at?.host !== 'string'))
    throw invalid('sentinels is a list of { host, port }, with one at least')
  if (typeof name !== 'string' || name === '')
    throw invalid('with sentinels, name says which of the primaries that they watch it is')
  if (role === 'slave') throw invalid('a replica is read-only; leave out the role')
}

const invalid = (what: string, cause?: unknown): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `The address of Redis cannot be used: ${what}. It looks like redis://user:password@host:6379/0 or /path/to/redis.sock.`,
    { cause },
  )
