/** Proxies in front of several servers that act as one. */
import type { RedisServer } from '@busway/testing'
import { type RedisProxy, type RequestMatch, runsScript, startProxy } from './proxy.js'

export interface Mapped {
  readonly places: readonly { readonly host: string; readonly port: number }[]
  /** From the addresses of the servers to those of their proxies. */
  readonly natMap: Readonly<Record<string, { readonly host: string; readonly port: number }>>
}

/** `address`: what a bus is told to go through them. */
export async function proxiesAsOne(
  servers: readonly RedisServer[],
  address: (mapped: Mapped) => object,
): Promise<RedisProxy> {
  const proxies = await Promise.all(servers.map(({ url }) => startProxy(url)))
  const all = async (act: (proxy: RedisProxy) => Promise<void>): Promise<void> =>
    void (await Promise.all(proxies.map(act)))
  const places = proxies.map(({ url }) => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
  const natMap = Object.fromEntries(
    servers.map(({ port }, i) => [`127.0.0.1:${port}`, places[i] as (typeof places)[0]]),
  )
  /** Wherever it is met first, and nowhere else. */
  const once = (match: RequestMatch): RequestMatch => {
    let isMet = false
    return (request) => {
      if (isMet || !match(request)) return false
      isMet = true
      return true
    }
  }
  const each =
    (act: (proxy: RedisProxy) => void): (() => void) =>
    () =>
      proxies.forEach(act)
  return {
    url: proxies[0]?.url ?? '',
    redis: address({ places, natMap }) as RedisProxy['redis'],
    connections: () => proxies.reduce((sum, proxy) => sum + proxy.connections(), 0),
    cut(which) {
      for (const proxy of proxies) proxy.cut(which)
    },
    cutAtReply: (match = runsScript) => {
      const met = once(match)
      return Promise.race(proxies.map((proxy) => proxy.cutAtReply(met)))
    },
    cutAtRequest: (match = runsScript) => {
      const met = once(match)
      return Promise.race(proxies.map((proxy) => proxy.cutAtRequest(met)))
    },
    hang: each((proxy) => proxy.hang()),
    hangThese(which) {
      for (const proxy of proxies) proxy.hangThese(which)
    },
    dropReplies: each((proxy) => proxy.dropReplies()),
    dropRequests: each((proxy) => proxy.dropRequests()),
    heal: each((proxy) => proxy.heal()),
    down: () => all((proxy) => proxy.down()),
    up: () => all((proxy) => proxy.up()),
    connected: () => Promise.race(proxies.map((proxy) => proxy.connected())),
    close: () => all((proxy) => proxy.close()),
  }
}
