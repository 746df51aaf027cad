/**
 * What a message may cost Redis: all bounds of the guard (guard.test.ts), a little above what is counted today. Whoever makes something cheaper lowers them;
 * whoever has to raise one says in the commit what is had for it, for every message pays.
 */
import type { PassName } from './passes.js'

export interface Bound {
  readonly messages: number
  /** Script calls a message. */
  readonly scripts: number
  /** Redis commands a message, those in scripts and the scripts themselves. */
  readonly commands: number
  /** Where to look first if it is more. */
  readonly look: string
}

const PUBLISHING =
  'packages/bus/src/publish/queue.ts (what is sent together), lua/scripts/publish.lua (the commands of one call)'
const CONSUMING =
  'packages/bus/src/consume/lookahead.ts (how much is fetched at once), packages/bus/src/consume/settler.ts (what is settled together), lua/scripts/advance.lua (the commands of one call)'
const KEYED = `${CONSUMING}, docs/data-model.md (keys)`
const DELAYED =
  'lua/lib/promote.lua (how what is due is moved), packages/bus/src/consume/session-timers.ts (how often is asked)'

/**
 * 500 in flight are two requests, one of which Redis has while the other is written.
 *
 * Those of consumers have room, five times what is counted on a quiet machine: how much they fetch at once follows the handler's time, which is longer where
 * other tests run. A request for each message would be far beyond all the same.
 */
export const BOUNDS: Record<PassName, Bound> = {
  'publish, each awaited': { messages: 200, scripts: 1, commands: 10, look: PUBLISHING },
  'publish, 500 in flight': { messages: 5_000, scripts: 0.0042, commands: 0.042, look: PUBLISHING },
  'publish, batches of 100': { messages: 5_000, scripts: 0.01, commands: 0.1, look: PUBLISHING },
  'publish, 10,000 keys': { messages: 5_000, scripts: 0.0042, commands: 0.05, look: PUBLISHING },
  'publish to 10 groups': { messages: 5_000, scripts: 0.0042, commands: 0.15, look: PUBLISHING },
  'consume, 1 at a time': { messages: 5_000, scripts: 0.1, commands: 2, look: CONSUMING },
  'consume, 10 at a time': { messages: 5_000, scripts: 0.06, commands: 1.2, look: CONSUMING },
  'consume, 100 at a time': { messages: 5_000, scripts: 0.06, commands: 1.2, look: CONSUMING },
  'consume, 1 key': { messages: 5_000, scripts: 0.06, commands: 1.2, look: KEYED },
  'consume, 1,000 keys': { messages: 5_000, scripts: 0.05, commands: 2.5, look: KEYED },
  'consume, 10,000 keys': { messages: 5_000, scripts: 0.06, commands: 1.2, look: KEYED },
  'delayed, due together': { messages: 1_000, scripts: 1, commands: 15, look: DELAYED },
  'delayed, due one by one': { messages: 100, scripts: 3.5, commands: 75, look: DELAYED },
  'end to end': { messages: 5_000, scripts: 0.06, commands: 1.2, look: `${PUBLISHING}; ${CONSUMING}` },
}

/** Bytes of Redis' memory that a message takes while it waits, 208 of which are its body. */
export const BYTES = {
  'memory-together': {
    messages: 10_000,
    bytes: 245,
    look: 'packages/bus/src/wire/encode.ts, docs/data-model.md (batches)',
  },
  'memory-alone': {
    messages: 1_000,
    bytes: 430,
    look: 'lua/scripts/publish.lua, docs/data-model.md (one message alone)',
  },
} as const

/** What subscriptions cost to which nothing comes: of each a script call for each third of its lease, and nothing else. */
export const IDLE = {
  subscriptions: 100,
  leaseMs: 1_500,
  connections: 2,
  /** With the renewal's own call. */
  commandsPerRenewal: 15,
  look: 'packages/bus/src/consume/session-timers.ts, packages/bus/src/redis/wakes.ts',
} as const
