/**
 * A TCP proxy between a bus and its Redis that can do to a connection what networks do: cut it, swallow what goes one way,
 * fall silent without closing, be away for a time. Faults are given as a rule per chunk, so a test can hit the very
 * request it means and knows when it was hit.
 */

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { BusOptions } from '@busway/bus'

/** What a pair of sockets carries, told by the first bytes that the client sent over it. */
interface Pair {
  readonly client: Socket
  readonly redis: Socket
  /** Everything the client sent so far names a SUBSCRIBE: the bus' second connection. */
  subscriber: boolean
  /** Nothing passes any more, and nothing is closed. */
  hung: boolean
  /** A reply to this pair is awaited by `cutAtReply`. */
  cutAtReply?: () => void
}

/** Which chunks a one-off fault applies to. Default: every chunk that runs a script. */
export type RequestMatch = (request: Buffer) => boolean

export const runsScript: RequestMatch = (request) => /evalsha|eval\r/i.test(request.toString('latin1'))

/** Which connections a fault is for. */
export type Which = 'all' | 'commands' | 'subscribers'

export interface RedisProxy {
  /** To give to `createBus`, as its option `redis`; `url` where it is one server's. */
  readonly redis: NonNullable<BusOptions['redis']>
  readonly url: string
  /** Live connections through the proxy. */
  connections(): number
  /** Destroys every connection, now; new ones get through. `subscribers` cuts only those that subscribed. */
  cut(which?: Which): void
  /** Forwards the next matching request and, when Redis has answered it, destroys the connection instead of passing the answer on. */
  cutAtReply(match?: RequestMatch): Promise<void>
  /** Destroys the connection instead of forwarding the next matching request. */
  cutAtRequest(match?: RequestMatch): Promise<void>
  /** Until `heal`: nothing passes either way on any connection, old or new, and nothing is closed. */
  hang(): void
  /** Hangs the connections that there are, for good; new ones get through. */
  hangThese(which?: Which): void
  /** Until `heal`: requests pass, replies are thrown away. */
  dropReplies(): void
  /** Until `heal`: requests are thrown away. */
  dropRequests(): void
  /** Ends `hang`, `dropReplies`, `dropRequests`. What they swallowed stays lost, so the connections that they affected are cut. */
  heal(): void
  /** Closes all connections and refuses new ones, as a server that is down. */
  down(): Promise<void>
  up(): Promise<void>
  /** Resolves when the next connection through the proxy has been made. */
  connected(): Promise<void>
  close(): Promise<void>
}

type Mode = 'pass' | 'hang' | 'drop-replies' | 'drop-requests'
interface Trap {
  readonly at: 'reply' | 'request'
  readonly match: RequestMatch
  readonly sprung: () => void
}

/** Starts a proxy in front of the Redis at `target` (`redis://host:port`). */
export async function startProxy(target: string): Promise<RedisProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<Pair>()
  const traps = new Set<Trap>()
  let mode: Mode = 'pass'
  let arrivals: (() => void)[] = []
  const touched = new Set<Pair>()

  const destroy = (pair: Pair) => {
    pair.client.destroy()
    pair.redis.destroy()
    pairs.delete(pair)
    touched.delete(pair)
  }
  const setTrap = (at: Trap['at'], match: RequestMatch) =>
    new Promise<void>((resolve) => {
      const trap: Trap = {
        at,
        match,
        sprung: () => {
          traps.delete(trap)
          resolve()
        },
      }
      traps.add(trap)
    })

  const chosen = (which: Which) =>
    [...pairs].filter(({ subscriber }) => which === 'all' || subscriber === (which === 'subscribers'))

  const accept = (client: Socket) => {
    const pair: Pair = { client, redis: connect(Number(port), hostname), subscriber: false, hung: false }
    pairs.add(pair)
    client.setNoDelay(true)
    pair.redis.setNoDelay(true)
    client.on('data', (chunk) => {
      if (/subscribe\r/i.test(chunk.toString('latin1', 0, 256))) pair.subscriber = true
      if (pair.hung || mode === 'hang' || mode === 'drop-requests') return void touched.add(pair)
      for (const trap of traps) {
        if (!trap.match(chunk)) continue
        if (trap.at === 'request') {
          destroy(pair)
          return trap.sprung()
        }
        traps.delete(trap)
        pair.cutAtReply = trap.sprung
        break
      }
      pair.redis.write(chunk)
    })
    pair.redis.on('data', (chunk) => {
      if (pair.cutAtReply) {
        destroy(pair)
        return pair.cutAtReply()
      }
      if (pair.hung || mode === 'hang' || mode === 'drop-replies') return void touched.add(pair)
      client.write(chunk)
    })
    for (const socket of [client, pair.redis]) {
      socket.on('error', () => destroy(pair))
      socket.on('close', () => destroy(pair))
    }
    const waiting = arrivals
    arrivals = []
    for (const resolve of waiting) resolve()
  }

  let server: Server | undefined
  const listen = (at: number) =>
    new Promise<number>((resolve, reject) => {
      const listening = createServer(accept)
      server = listening
      listening.once('error', reject)
      listening.listen(at, '127.0.0.1', () => resolve((listening.address() as AddressInfo).port))
    })
  const stopListening = () =>
    new Promise<void>((resolve) => {
      const closing = server
      server = undefined
      if (closing) closing.close(() => resolve())
      else resolve()
      for (const pair of pairs) destroy(pair)
    })
  const own = await listen(0)

  return {
    url: `redis://127.0.0.1:${own}`,
    redis: `redis://127.0.0.1:${own}`,
    connections: () => pairs.size,
    cut(which = 'all') {
      for (const pair of chosen(which)) destroy(pair)
    },
    cutAtReply: (match = runsScript) => setTrap('reply', match),
    cutAtRequest: (match = runsScript) => setTrap('request', match),
    hang() {
      mode = 'hang'
    },
    hangThese(which = 'all') {
      for (const pair of chosen(which)) pair.hung = true
    },
    dropReplies() {
      mode = 'drop-replies'
    },
    dropRequests() {
      mode = 'drop-requests'
    },
    heal() {
      mode = 'pass'
      for (const pair of touched) destroy(pair)
    },
    down: stopListening,
    async up() {
      await listen(own)
    },
    connected: () => new Promise<void>((resolve) => arrivals.push(resolve)),
    close: stopListening,
  }
}
