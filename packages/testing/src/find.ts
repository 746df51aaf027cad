import { installLine, RedisNotFoundError } from './not-found.js'
import { findWithApt } from './sources/apt.js'
import { findInCache } from './sources/cache.js'
import { findWithDocker } from './sources/docker.js'
import { findOnPath } from './sources/path.js'
import type {
  Finder,
  FoundRedis,
  RedisServerProgram,
  RedisSource,
  RunningRedis,
  SkippedSource,
} from './sources/source.js'
import { findAtUrl, withoutPassword } from './sources/url.js'

const FINDERS: Record<RedisSource, Finder> = {
  url: findAtUrl,
  path: findOnPath,
  cache: findInCache,
  apt: findWithApt,
  docker: findWithDocker,
}
const ALL_SOURCES = Object.keys(FINDERS) as RedisSource[]

/** Options of `findRedis`. */
export interface FindRedisOptions {
  /** What to try, in order. Default: url, path, cache, apt, docker. */
  sources?: readonly RedisSource[]
  /** The environment to look in (`REDIS_URL`, `PATH`, ...). Default: `process.env`. */
  env?: NodeJS.ProcessEnv
  /** Told what is about to take a while, such as a download. Default: `console.error`. */
  onProgress?: (line: string) => void
}

/**
 * Finds a Redis (or Valkey) 6.2 or newer: the running one at `REDIS_URL`, else a program that starts one, on PATH, in the
 * cache, from the distribution's packages (no root needed), or in docker.
 *
 * `BUSWAY_REDIS_SOURCE` in the environment names the one source to use, if it is among `sources`.
 *
 * @throws RedisNotFoundError, which says why for each source and what to run to install one.
 * @example
 * const found = await findRedis()
 * console.log(describeRedis(found)) // Redis 7.0.15 from PATH (/usr/bin/redis-server)
 */
export async function findRedis(options: FindRedisOptions = {}): Promise<FoundRedis> {
  const { sources = ALL_SOURCES, env = process.env, onProgress = console.error } = options
  const skipped: SkippedSource[] = []
  for (const source of chosenSources(sources, env)) {
    if (source === 'apt') onProgress("Looking for Redis in the distribution's packages (fetched once, then cached) ...")
    const found = await FINDERS[source](env)
    if ('reason' in found) skipped.push({ source, reason: found.reason })
    else return { ...found, skipped }
  }
  throw new RedisNotFoundError(skipped, await installLine())
}

/** One line for people: 'Redis 7.0.15 from PATH (/usr/bin/redis-server)', and why not `REDIS_URL`, where that was set. */
export function describeRedis(found: RunningRedis | RedisServerProgram | FoundRedis): string {
  const what = `${found.name} ${found.version} ${whence(found)}`
  const url = ('skipped' in found ? found.skipped : []).find(
    ({ source, reason }) => source === 'url' && reason !== 'REDIS_URL is not set',
  )
  return url ? `${what}, since ${url.reason}` : what
}

function whence(found: RunningRedis | RedisServerProgram): string {
  switch (found.source) {
    case 'url':
      return `at REDIS_URL (${withoutPassword(new URL(found.url))})`
    case 'path':
      return `from PATH (${found.command})`
    case 'cache':
      return `from the cache (${found.command})`
    case 'apt':
      return `from the distribution's packages, now in the cache (${found.command})`
    case 'docker':
      return `in docker (${found.image})`
  }
}

function chosenSources(sources: readonly RedisSource[], env: NodeJS.ProcessEnv): readonly RedisSource[] {
  const forced = env.BUSWAY_REDIS_SOURCE
  if (!forced) return sources
  if (!(forced in FINDERS))
    throw new Error(`BUSWAY_REDIS_SOURCE is ${forced}, and must be one of ${ALL_SOURCES.join(', ')}.`)
  if (!sources.includes(forced as RedisSource))
    throw new Error(
      `BUSWAY_REDIS_SOURCE=${forced} cannot be used here: a private server comes from one of ${sources.join(', ')}.`,
    )
  return [forced as RedisSource]
}
