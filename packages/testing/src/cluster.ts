import { findFreePort } from './free-port.js'
import { probe } from './probe.js'
import { findProgramForPeers, type RedisServer, type StartRedisOptions, startRedis } from './server.js'
import { until } from './until.js'

/** Options of `startCluster`. */
export interface StartClusterOptions extends Pick<StartRedisOptions, 'program' | 'args' | 'keepData'> {
  /** Default: 3, the least that can agree on a failover. */
  masters?: number
  /** Of each master. Default: 1. */
  replicas?: number
  /** Without an answer for so long a node is down. Default: 1000. */
  nodeTimeoutMs?: number
}

/** A private Redis Cluster. */
export interface RedisCluster extends AsyncDisposable {
  /** The option `redis` of a bus. */
  readonly redis: { readonly cluster: readonly { host: string; port: number }[] }
  /** `redis+cluster://127.0.0.1:<port>` */
  readonly url: string
  /** All of them; those that were masters at the start are the first. */
  readonly nodes: readonly RedisServer[]
  /** Resolves with the master that has the slot, as its peers say. */
  masterOf(slot: number): Promise<RedisServer>
  /** Resolves when another than that has the slot. */
  moved(slot: number, from: RedisServer): Promise<void>
  /** Resolves when all nodes that run agree that all slots are served, and as many replicas as there are keep up. */
  settled(): Promise<void>
  /** Ends all of it. May be called again. */
  stop(): Promise<void>
}

const SLOTS = 16_384

/**
 * Starts a Redis Cluster: masters that share the slots, and replicas of each, on free ports of the loopback address.
 *
 * @example
 * await using cluster = await startCluster()
 * const bus = createBus({ service: 'test', redis: cluster.redis })
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 1, nodeTimeoutMs = 1_000, args = [], ...rest } = options
  const program = options.program ?? (await findProgramForPeers({}))
  const started: RedisServer[] = []
  const start = async (): Promise<RedisServer> => {
    const mode = ['--cluster-enabled', 'yes', '--cluster-port', String(await findFreePort())]
    const timing = ['--cluster-node-timeout', String(nodeTimeoutMs), '--repl-diskless-sync-delay', '0']
    const server = await startRedis({ ...rest, program, args: [...mode, ...timing, ...args] })
    started.push(server)
    return server
  }
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())))
  try {
    const nodes = await Promise.all(Array.from({ length: masters * (1 + replicas) }, start))
    await share(nodes.slice(0, masters))
    await meet(nodes)
    await Promise.all(
      nodes.slice(masters).map(async (node, i) => {
        const id = await probe({ port: (nodes[i % masters] as RedisServer).port }, [['CLUSTER', 'MYID']])
        await until('a replica knows its master', async () => isOk(await ask(node, 'REPLICATE', id)))
      }),
    )
    const cluster = new Cluster(nodes, stop)
    await cluster.settled()
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

class Cluster implements RedisCluster {
  readonly redis: RedisCluster['redis']
  readonly url: string
  readonly nodes: readonly RedisServer[]
  readonly stop: () => Promise<void>

  constructor(nodes: readonly RedisServer[], stop: () => Promise<void>) {
    this.nodes = nodes
    this.stop = stop
    this.redis = { cluster: nodes.map(({ port }) => ({ host: '127.0.0.1', port })) }
    this.url = `redis+cluster://127.0.0.1:${nodes[0]?.port}`
  }

  async masterOf(slot: number): Promise<RedisServer> {
    for (const node of this.nodes.filter(isRunning)) {
      const lines = (await ask(node, 'NODES')).split('\n')
      const line = lines.find((each) => / (?:myself,)?master /.test(each) && hasSlot(each, slot))
      const port = Number(/^\S+ [^:]*:(\d+)@/.exec(line ?? '')?.[1])
      const master = this.nodes.find((each) => each.port === port)
      if (master !== undefined) return master
    }
    throw new Error(`no master has slot ${slot}`)
  }

  moved(slot: number, from: RedisServer): Promise<void> {
    return until('the slot is elsewhere', async () => (await this.masterOf(slot)) !== from)
  }

  settled(): Promise<void> {
    return until('the cluster has settled', async () => {
      const running = this.nodes.filter(isRunning)
      const views = await Promise.all(running.map((node) => ask(node, 'INFO')))
      if (!views.every((view) => /^cluster_state:ok\r?$/m.test(view))) return false
      const roles = await Promise.all(running.map((node) => probe({ port: node.port }, [['INFO', 'replication']])))
      const replicas = roles.filter((info) => /^role:slave\r?$/m.test(info))
      const online = roles.join('').match(/^slave\d+:.*state=online/gm) ?? []
      return replicas.every((info) => /^master_link_status:up\r?$/m.test(info)) && online.length >= replicas.length
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

const isRunning = ({ pid }: RedisServer): boolean => pid !== undefined
const isOk = (reply: string): boolean => reply === '+OK'
const ask = ({ port }: RedisServer, ...command: string[]): Promise<string> => probe({ port }, [['CLUSTER', ...command]])

/** Whether a line of CLUSTER NODES says so: its slots follow the eighth word. */
function hasSlot(line: string, slot: number): boolean {
  return line
    .trim()
    .split(' ')
    .slice(8)
    .some((range) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
      return from !== undefined && slot >= Number(from) && slot <= Number(to)
    })
}

async function share(masters: readonly RedisServer[]): Promise<void> {
  const each = SLOTS / masters.length
  await Promise.all(
    masters.map(async (node, i) => {
      const [from, to] = [Math.round(i * each), Math.round((i + 1) * each) - 1]
      await ask(node, 'ADDSLOTSRANGE', String(from), String(to))
      // So that none of them has to find out that another has the same.
      await ask(node, 'SET-CONFIG-EPOCH', String(i + 1))
    }),
  )
}

async function meet(nodes: readonly RedisServer[]): Promise<void> {
  const [first, ...others] = nodes
  for (const node of others) {
    const info = await ask(node, 'NODES')
    const busPort = /@(\d+)/.exec(info)?.[1] as string
    await ask(first as RedisServer, 'MEET', '127.0.0.1', String(node.port), busPort)
  }
  await until('the nodes know each other', async () => {
    const views = await Promise.all(nodes.map((node) => ask(node, 'INFO')))
    return views.every((view) => view.includes(`cluster_known_nodes:${nodes.length}\r`))
  })
}
