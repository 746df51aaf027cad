import { probe } from './probe.js'
import { findProgramForPeers, type RedisServer, type StartRedisOptions, startRedis, startServer } from './server.js'
import { until } from './until.js'

/** Options of `startSentinels`. */
export interface StartSentinelsOptions extends Pick<StartRedisOptions, 'program' | 'args' | 'keepData'> {
  /** Default: 1. */
  replicas?: number
  /** Without an answer for so long a server is down. Default: 500. */
  downAfterMs?: number
}

/** A private primary with replicas, watched over by three Sentinels. */
export interface SentinelDeployment extends AsyncDisposable {
  /** The option `redis` of a bus. */
  readonly redis: { readonly sentinels: readonly { host: string; port: number }[]; readonly name: string }
  /** All servers but the Sentinels; the first was the primary at the start. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** Resolves with the server that the Sentinels name as primary. */
  primary(): Promise<RedisServer>
  /** Resolves when the primary has `replicas` that keep up, and all Sentinels agree and know each other and all replicas. */
  settled(replicas?: number): Promise<void>
  /** Starts a server that was killed, as a replica of the primary. By itself it would come up as a primary, and become a replica seconds later. */
  rejoin(server: RedisServer): Promise<void>
  /** Ends all of it. May be called again. */
  stop(): Promise<void>
}

const NAME = 'busway'
const SENTINELS = 3
/** What a new replica is otherwise made to wait for others. */
const AT_ONCE = ['--repl-diskless-sync-delay', '0']

/**
 * Starts a primary, its replicas and three Sentinels, each on a free port of the loopback address.
 *
 * @example
 * await using deployment = await startSentinels()
 * const bus = createBus({ service: 'test', redis: deployment.redis })
 * await (await deployment.primary()).kill()
 */
export async function startSentinels(options: StartSentinelsOptions = {}): Promise<SentinelDeployment> {
  const { replicas = 1, downAfterMs = 500, args = [], ...rest } = options
  const program = options.program ?? (await findProgramForPeers({}))
  const started: RedisServer[] = []
  const start = async (starting: Promise<RedisServer>): Promise<RedisServer> => {
    const server = await starting
    started.push(server)
    return server
  }
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())))
  try {
    const own = [...AT_ONCE, ...args]
    const first = await start(startRedis({ ...rest, program, args: own }))
    const follow = [...own, '--replicaof', '127.0.0.1', String(first.port)]
    const following = Array.from({ length: replicas }, () => start(startRedis({ ...rest, program, args: follow })))
    const servers = [first, ...(await Promise.all(following))]
    await until('the replicas keep up', () => keepUp(first, replicas))
    const config = [
      `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 2`,
      `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${NAME} ${2 * downAfterMs}`,
    ]
    const watching = Array.from({ length: SENTINELS }, () => start(startServer({ program }, `${config.join('\n')}\n`)))
    const deployment = new Deployment(servers, await Promise.all(watching), stop)
    await deployment.settled(replicas)
    return deployment
  } catch (error) {
    await stop()
    throw error
  }
}

class Deployment implements SentinelDeployment {
  readonly redis: SentinelDeployment['redis']
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  readonly stop: () => Promise<void>

  constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[], stop: () => Promise<void>) {
    this.servers = servers
    this.sentinels = sentinels
    this.stop = stop
    this.redis = { sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })), name: NAME }
  }

  async primary(): Promise<RedisServer> {
    const [sentinel] = this.sentinels
    const { address } = await viewOf(sentinel as RedisServer)
    return this.servers.find(({ port }) => address?.endsWith(`:${port}`)) as RedisServer
  }

  async rejoin(server: RedisServer): Promise<void> {
    await server.restart()
    const { port } = await this.primary()
    if (port !== server.port) await probe({ port: server.port }, [['REPLICAOF', '127.0.0.1', String(port)]])
  }

  settled(replicas = this.servers.length - 1): Promise<void> {
    return until('the Sentinels agree', async () => {
      const views = await Promise.all(this.sentinels.map(viewOf))
      const agree = views.every(
        ({ address, status, slaves, sentinels }) =>
          address === views[0]?.address &&
          status === 'ok' &&
          Number(slaves) >= this.servers.length - 1 &&
          Number(sentinels) === SENTINELS,
      )
      return agree && keepUp(await this.primary(), replicas)
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** What a Sentinel says of the primary: its address, and how many replicas and Sentinels it knows. */
async function viewOf({ port }: RedisServer): Promise<Record<string, string>> {
  const info = await probe({ port }, [['INFO', 'sentinel']])
  const line = /^master0:(.*?)\r?$/m.exec(info)?.[1] ?? ''
  return Object.fromEntries(line.split(',').map((field) => field.split('=')))
}

async function keepUp({ port }: RedisServer, replicas: number): Promise<boolean> {
  const info = await probe({ port }, [['INFO', 'replication']])
  return (info.match(/^slave\d+:.*state=online/gm) ?? []).length >= replicas
}
