import { ABILITIES, type Ability, type Peer } from '../peer.js'

/** A peer, and what it cannot do; declared here, so that a run is planned without loading anyone's modules. */
interface Entry {
  /** Loaded when measured, so that no peer's modules are in another's process. */
  load(): Promise<Peer>
  lacks: readonly Ability[]
  /** What it needs instead of Redis. */
  server?: ServerName
}

/** Servers that the bench starts where they are installed; see servers/. */
export type ServerName = 'nats' | 'rabbitmq'

/** Takes part only where a scenario invites it. */
const GUEST = ABILITIES

const PEERS = {
  busway: { load: async () => (await import('./busway.js')).busway, lacks: [] },
  bullmq: { load: async () => (await import('./bullmq.js')).bullmq, lacks: ['keys', 'rate', 'subscriptions'] },
  'bee-queue': {
    load: async () => (await import('./bee-queue.js')).beeQueue,
    lacks: ['groups', 'keys', 'rate', 'subscriptions'],
  },
  groupmq: {
    load: async () => (await import('./groupmq.js')).groupmq,
    // It has delays, but as a scheduler makes jobs ready that are due, a few a second: a measurement would take minutes.
    lacks: ['batch', 'groups', 'rate', 'delay', 'subscriptions'],
  },
  'raw-streams': {
    load: async () => (await import('./raw-streams.js')).rawStreams,
    lacks: ['keys', 'rate', 'delay', 'subscriptions'],
  },
  'raw-loop': {
    load: async () => (await import('./raw-loop/index.js')).rawLoop,
    lacks: ['keys', 'rate', 'delay', 'subscriptions'],
  },
  nats: {
    load: async () => (await import('./nats.js')).nats,
    lacks: ['batch', 'keys', 'rate', 'delay', 'subscriptions', 'redis'],
    server: 'nats',
  },
  rabbitmq: {
    load: async () => (await import('./rabbitmq.js')).rabbitmq,
    lacks: ['batch', 'keys', 'rate', 'delay', 'subscriptions', 'redis'],
    server: 'rabbitmq',
  },
  'round-trip': { load: async () => (await import('./yardsticks.js')).roundTrip, lacks: GUEST },
  'hand-over': { load: async () => (await import('./yardsticks.js')).handOver, lacks: GUEST },
  'busway-plugins': { load: async () => (await import('./busway-plugins.js')).buswayPlugins, lacks: GUEST },
  'busway-plugins-used': { load: async () => (await import('./busway-plugins.js')).buswayPluginsUsed, lacks: GUEST },
} satisfies Record<string, Entry>

export type PeerName = keyof typeof PEERS

/** In the order of the reports' columns. */
export const PEER_NAMES = Object.keys(PEERS) as PeerName[]

export function serverNeededBy(name: PeerName): ServerName | undefined {
  const entry: Entry = PEERS[name]
  return entry.server
}

/** Those that need nothing but Redis: everywhere they can take part. */
export const USUAL_PEERS = PEER_NAMES.filter((name) => serverNeededBy(name) === undefined)

export function loadPeer(name: PeerName): Promise<Peer> {
  return PEERS[name].load()
}

export function abilitiesLackedBy(name: PeerName): readonly Ability[] {
  return PEERS[name].lacks
}

/** Whether a peer, by its name in a run, takes part only where it is invited. */
export function isYardstick(name: string): boolean {
  return name in PEERS && PEERS[name as PeerName].lacks.length === GUEST.length
}
