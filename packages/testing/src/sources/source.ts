/** Where a Redis may come from; `findRedis` tries them in this order. */
export type RedisSource = 'url' | 'path' | 'cache' | 'apt' | 'docker'

/** A server that already runs, at `REDIS_URL`. */
export interface RunningRedis {
  source: 'url'
  url: string
  /** 'Redis' or 'Valkey'. */
  name: string
  version: string
}

/** A program that starts a server. */
export interface RedisServerProgram {
  source: 'path' | 'cache' | 'apt' | 'docker'
  /** The program, by its absolute path; for docker the client. */
  command: string
  /** The image, for docker. */
  image?: string
  name: string
  version: string
}

/** What `findRedis` found, and which sources before it had none. */
export type FoundRedis = (RunningRedis | RedisServerProgram) & { skipped: SkippedSource[] }

/** A source that had no Redis to offer, and why. */
export interface SkippedSource {
  source: RedisSource
  reason: string
}

/** One way to find a Redis: gives what it found, or the reason why there is none, as a sentence without its full stop. */
export type Finder = (env: NodeJS.ProcessEnv) => Promise<RunningRedis | RedisServerProgram | { reason: string }>
