import type { Peer } from '../peer.js'

/** Loaded when measured, so that no peer's modules are in another's process. */
const PEERS = {
  busway: async () => (await import('./busway.js')).busway,
  bullmq: async () => (await import('./bullmq.js')).bullmq,
} satisfies Record<string, () => Promise<Peer>>

export type PeerName = keyof typeof PEERS

/** In the order of the reports' columns. */
export const PEER_NAMES = Object.keys(PEERS) as PeerName[]

export function loadPeer(name: PeerName): Promise<Peer> {
  return PEERS[name]()
}
