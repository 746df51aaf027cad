import type { Duration } from './duration.js'

/**
 * When a publish counts as kept, and resolves:
 *
 * - `memory`: the primary has it. What survives its end is as its configuration says.
 * - `aof`: it is on the primary's disk (`WAITAOF`). Redis 7.2 or newer, or Valkey, with `appendonly yes`; else `CONFIG_INVALID`.
 * - `{ replicas, timeout? }`: so many replicas have it too (`WAIT`), within `timeout` (default: the bus' `publishTimeout`).
 *
 * Without the confirmation it rejects with `PUBLISH_UNKNOWN`: the message is on the primary, handed out as any, and a failover may lose it.
 */
export type Durability = 'memory' | 'aof' | { readonly replicas: number; readonly timeout?: Duration }
