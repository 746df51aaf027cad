/** What a fault is, and what it is given to do harm with. */
import type { Redis } from 'ioredis'
import type { Fleet } from '../fleet.js'
import type { Entry } from '../history.js'
import type { Random } from '../random.js'
import type { Site, Topology } from '../sites/site.js'

export interface Strikes {
  readonly site: Site
  /** `site.redis`. */
  readonly redis: Redis
  readonly namespace: string
  readonly fleet: Fleet
  /** Publishes are confirmed when a replica has them. */
  readonly isDurable: boolean
  readonly random: Random
  /** By Redis' clock. */
  now(): number
  pause(ms: number): Promise<void>
  /** Records the begin of a fault, and gives what records its end. Call it before doing any harm. */
  begin(what: { by?: string; reruns: boolean }): (end?: Loss) => void
  /** Records that a message was published by the fault itself, which promises nothing. */
  published(name: string, topic: string): void
  /** Something that Redis keeps is not as it must be. */
  left(what: string): void
}

/** What a server forgot: what it had confirmed between two moments; the second is the end of the fault if it is not said. */
export interface Loss {
  readonly lostFromMs?: number
  readonly lostToMs?: number
  /** But not what was published, which a replica had confirmed. */
  readonly keepsPublishes?: boolean
  readonly apart?: boolean
}

export interface Fault {
  readonly name: string
  /** Where it can strike. Default: everywhere. */
  readonly topologies?: readonly Topology[]
  /** How Redis is configured for it. */
  readonly args?: readonly string[]
  /** It takes many seconds: not for the short form. */
  readonly isLong?: boolean
  /** Once; resolves when everything is as it was. */
  strike(strikes: Strikes): Promise<void>
  /** What must be in the history of a run with this fault alone, or the fault did nothing. */
  hit?(history: readonly Entry[]): string[]
}
