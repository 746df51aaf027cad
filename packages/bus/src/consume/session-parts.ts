/** What a session is made from, and what it tells its owner. */
import type { AdvanceRequest, Recovered } from '@busway/lua'
import type { Logger } from '../api/index.js'
import type { ScriptRunner } from '../seams.js'
import type { HeldRange } from './held-range.js'
import type { ConsumeSettings } from './settings.js'
import type { Ended } from './settle-unit.js'
import type { Watching } from './watching.js'

/** `<bus>~<counter>`: unique over all topics, since a session numbers its outbox entries too. */
let sessions = 0
export const nextSessionId = (busId: string): string => `${busId}~${(++sessions).toString(36)}`

/** Why a session is over. */
export type SessionEnd = 'closed' | 'lost' | 'rolled back'

export interface Times {
  /** Of the request that settled, by the monotonic clock. */
  readonly sentMs: number
  readonly answeredMs: number
}

/** What a session needs of the subscription that owns it. */
export interface SessionOwner {
  /** How many messages to ask for, given how many requests under way ask for already; 0 for none now. `isIdle`: there are none, as far as is known. */
  room(asked: number, isIdle: boolean): number
  /** Messages to run. */
  received(ranges: readonly HeldRange[], times: Times): void
  confirmed(ended: Ended, times: Times): void
  /** Somebody cancelled message `index` of a range that is held. */
  cancelled(range: HeldRange, index: number): void
  recovered(recovered: Recovered): void
  /** Whether the group has a limit; told with each reply that says so, after what it brought was handed over. */
  limited(isLimited: boolean): void
  /** A reply was taken: what it confirmed may let others start. */
  answered(): void
  /** The outbox has entries. */
  outbox(): void
}

export interface SessionParts {
  readonly id: string
  readonly topic: string
  readonly runner: ScriptRunner
  readonly settings: ConsumeSettings
  readonly info: string
  /** The subscription has had a session before. */
  readonly reopened: boolean
  /** What the subscription's fetch guards are given, and the keys of its guards. */
  readonly guards: Pick<AdvanceRequest, 'fetchGuardCalls' | 'guardKeys'>
  /** Redis may lease messages to it while it waits. */
  readonly takesPushes: boolean
  readonly owner: SessionOwner
  readonly watching: Watching
  readonly log: Logger
}
