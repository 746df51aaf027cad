import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeRedis, type FindRedisOptions, findRedis } from './find.js'
import { findFreePort } from './free-port.js'
import { launchOf } from './launch.js'
import { probe } from './probe.js'
import type { FoundRedis, RedisServerProgram, RedisSource } from './sources/source.js'
import { holding, makeWatchedFolder, removeWatchedFolder, startWatched, type WatchedProcess } from './watched.js'

/** Options of `startRedis`. */
export interface StartRedisOptions extends FindRedisOptions {
  /** What `findRedis` found before, to save another look. */
  program?: RedisServerProgram
  /** More configuration, as on the command line: `['--maxmemory', '10mb']`. Wins over what `startRedis` itself sets. */
  args?: string[]
  /** Whether data outlives `restart()` and `kill()`: every write is in an append-only file before it is answered. Default: false. */
  keepData?: boolean
}

/** A private Redis server. It never outlives the process that started it, however that ends. */
export interface RedisServer extends AsyncDisposable {
  /** `redis://127.0.0.1:<port>`, the same after a restart. */
  readonly url: string
  readonly port: number
  /** The path of its Unix socket. A server in docker has none. */
  readonly socket: string | undefined
  /** Its folder: data, and `redis.log`. Removed by `stop()`. */
  readonly dir: string
  /** Its process (in docker, the client's), as long as it runs. */
  readonly pid: number | undefined
  readonly name: string
  readonly version: string
  /** One line for people: which Redis this is, and where it was found. */
  readonly description: string
  /** Ends the server and removes its folder. May be called again. */
  stop(): Promise<void>
  /** Kills the server, as a crash would. The folder stays, for `restart()`. */
  kill(): Promise<void>
  /** Ends the server in an orderly way if it runs, and starts it again on the same port and folder. */
  restart(): Promise<void>
  /** Stops the server's process (SIGSTOP): connections stay open and get no answer. */
  pause(): Promise<void>
  /** Lets it go on. */
  resume(): Promise<void>
}

/** Tests have a server of their own, never the one at `REDIS_URL`. */
const PRIVATE_SOURCES: RedisSource[] = ['path', 'cache', 'apt', 'docker']
const START_TIMEOUT_MS = 15_000
const SHUTDOWN_TIMEOUT_MS = 5_000
const PORTS_TO_TRY = 10
const PORT_TAKEN = /address already in use|port is already allocated/i
/** Nothing is evicted, as Busway needs it, and nothing written to disk. */
const CONFIG = ['--maxmemory-policy', 'noeviction', '--save', '', '--appendonly', 'no']
const KEEP_DATA = ['--appendonly', 'yes', '--appendfsync', 'always']

const found = new Map<string, Promise<FoundRedis>>()

/**
 * Starts a private Redis server, on a free port of the loopback address and a Unix socket, in a temporary folder.
 *
 * @throws RedisNotFoundError if there is no Redis on this system and none can be fetched.
 * @example
 * await using redis = await startRedis()
 * const bus = createBus({ service: 'test', redis: redis.url })
 */
export function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  return startServer(options)
}

/** `sentinel`: the configuration of a Sentinel, which it is then; it keeps what it learns in that file. */
export async function startServer(options: StartRedisOptions, sentinel?: string): Promise<RedisServer> {
  const program = options.program ?? (await findProgram(options))
  const dir = await makeWatchedFolder()
  const config = [...CONFIG, ...(options.keepData ? KEEP_DATA : []), ...(options.args ?? [])]
  try {
    if (sentinel !== undefined) {
      await writeFile(join(dir, 'sentinel.conf'), sentinel)
      config.unshift(join(dir, 'sentinel.conf'), '--sentinel')
    }
    for (let attempt = 1; ; attempt++) {
      const server = new Server(program, dir, await findFreePort(), config)
      const failure = await server.start()
      if (!failure) return server
      if (!PORT_TAKEN.test(failure) || attempt === PORTS_TO_TRY) throw new Error(failure)
    }
  } catch (error) {
    await removeWatchedFolder(dir)
    throw error
  }
}

/** As `startRedis` finds it, for servers that have to reach each other: those in docker do not. */
export async function findProgramForPeers(options: FindRedisOptions): Promise<RedisServerProgram> {
  const program = await findProgram(options)
  if (program.source !== 'docker') return program
  throw new Error(
    `Servers that belong together take a redis-server of this system; there is only ${describeRedis(program)}.`,
  )
}

/** Looks once for each environment, since a look may be a download. */
async function findProgram({ sources = PRIVATE_SOURCES, env = process.env, onProgress }: FindRedisOptions) {
  const key = JSON.stringify([sources, env.BUSWAY_REDIS_SOURCE, env.PATH, env.BUSWAY_CACHE_DIR])
  let search = found.get(key)
  if (!search) {
    search = findRedis({
      sources: sources.filter((source) => source !== 'url'),
      env,
      ...(onProgress && { onProgress }),
    })
    found.set(key, search)
    search.catch(() => found.delete(key))
  }
  return (await search) as RedisServerProgram
}

class Server implements RedisServer {
  readonly url: string
  readonly port: number
  readonly socket: string | undefined
  readonly dir: string
  readonly name: string
  readonly version: string
  readonly description: string
  readonly #launch: ReturnType<typeof launchOf>
  #process: WatchedProcess | undefined

  constructor(program: RedisServerProgram, dir: string, port: number, config: string[]) {
    this.dir = dir
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.socket = program.source === 'docker' ? undefined : join(dir, 'redis.sock')
    this.name = program.name
    this.version = program.version
    this.description = describeRedis(program)
    this.#launch = launchOf(program, { dir, port, socket: this.socket, config })
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Gives the reason if the server ended before it was ready. */
  async start(): Promise<string | undefined> {
    const { command, args, atEnd } = this.#launch
    const started = await startWatched(this.dir, command, args, atEnd)
    this.#process = started
    started.ended.then(() => {
      if (this.#process === started) this.#process = undefined
    })
    const deadline = Date.now() + START_TIMEOUT_MS
    const how = await Promise.race([started.ended, this.#answers(started, deadline)])
    if (how === undefined) return
    await this.kill()
    const log = await readFile(join(this.dir, 'redis.log'), 'utf8').catch(() => '')
    return `${this.description} ended ${how} before it was ready:\n${log.trim().split('\n').slice(-5).join('\n')}`
  }

  async stop(): Promise<void> {
    await this.kill()
    await removeWatchedFolder(this.dir)
  }

  async kill(): Promise<void> {
    const running = this.#process
    if (!running) return
    await this.#launch.signal(running.pid, 'SIGKILL')
    await holding(running.ended)
  }

  async restart(): Promise<void> {
    await this.#shutDown()
    const failure = await this.start()
    if (failure) throw new Error(failure)
  }

  async pause(): Promise<void> {
    if (this.#process) await this.#launch.signal(this.#process.pid, 'SIGSTOP')
  }

  async resume(): Promise<void> {
    if (this.#process) await this.#launch.signal(this.#process.pid, 'SIGCONT')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** A server that is busy in a script, or paused, does not hear the request and is killed after a while. */
  async #shutDown(): Promise<void> {
    const running = this.#process
    if (!running) return
    await this.#launch.signal(running.pid, 'SIGTERM')
    const over = new AbortController()
    await Promise.race([running.ended, sleep(SHUTDOWN_TIMEOUT_MS, undefined, over).catch(() => {})])
    over.abort()
    await this.kill()
  }

  /** Resolves when the server answers (even if it asks for a password), or with how it failed to. */
  async #answers(running: WatchedProcess, deadline: number): Promise<string | undefined> {
    const address = this.socket ? { path: this.socket } : { port: this.port }
    while (this.#process === running) {
      const reply = await probe(address, [['PING']], 1000).catch(() => undefined)
      if (reply !== undefined && !reply.startsWith('-LOADING')) return
      if (Date.now() > deadline) return `, killed after ${START_TIMEOUT_MS} ms,`
      await sleep(5)
    }
    return running.ended
  }
}
