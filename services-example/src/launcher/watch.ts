import { setTimeout as sleep } from 'node:timers/promises'
import type { BusOf, TopicStats } from '@busway/bus'
import { GROUPS, type Group, groups, type Left } from '../accounting/evidence.js'
import type { GatewayClient } from '../gateway/client.js'
import type { GatewayCounts } from '../gateway/desk.js'
import type { topics } from '../topics.js'

export type LauncherBus = BusOf<typeof topics, 'schema'>

/** Where a run is. */
export interface Snapshot {
  /** Flights, as the feed says. */
  published: number
  groups: Record<Group, Left>
  gateway: GatewayCounts
  /** Assembled. */
  reports: number
}

/** Nothing changed any more although it should have. */
export class Stalled extends Error {}

const LOOK_EVERY_MS = 100
/** Longer than it takes until a killed process' messages are run again. */
const STALLED_AFTER_MS = 20_000

/** What a watch looks at, and who is shown what it sees. */
export interface WatchOptions {
  bus: LauncherBus
  gateway: GatewayClient
  published: () => number
  reports: () => Promise<number>
  show: (snapshot: Snapshot) => void
}

/** Looks at a run from outside: through the bus' numbers and the gateway's. */
export class Watch {
  readonly #bus: LauncherBus
  readonly #gateway: GatewayClient
  readonly #published: () => number
  readonly #reports: () => Promise<number>
  readonly #show: (snapshot: Snapshot) => void

  constructor({ bus, gateway, published, reports, show }: WatchOptions) {
    this.#bus = bus
    this.#gateway = gateway
    this.#published = published
    this.#reports = reports
    this.#show = show
  }

  async look(): Promise<Snapshot> {
    const published = this.#published()
    const [gateway, reports, ...left] = await Promise.all([
      this.#gateway.counts(),
      this.#reports(),
      ...groups.map(async (group) => [group, leftIn(await this.#bus.topic(GROUPS[group]).stats(), group)] as const),
    ])
    // Every group is there.
    return { published, groups: Object.fromEntries(left) as Record<Group, Left>, gateway, reports }
  }

  /** Looks until the condition holds. Rejects with Stalled when nothing has changed for long, and with the signal's reason. */
  async until(what: string, holds: (snapshot: Snapshot) => boolean, signal: AbortSignal): Promise<void> {
    let before = ''
    let changedMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      const snapshot = await this.look()
      this.#show(snapshot)
      if (holds(snapshot)) return
      const now = JSON.stringify(snapshot)
      if (now !== before) changedMs = performance.now()
      else if (performance.now() - changedMs > STALLED_AFTER_MS)
        throw new Stalled(`Nothing has moved for ${STALLED_AFTER_MS / 1000} s while waiting until ${what}.`)
      before = now
      await sleep(LOOK_EVERY_MS)
    }
  }
}

/** No group is left with anything but dead letters. */
export const isDrained = ({ groups: left }: Snapshot): boolean => groups.every((group) => left[group].unsettled === 0)

function leftIn({ scheduled, groups }: TopicStats, group: Group): Left {
  const stats = groups[group]
  if (!stats) return { unsettled: scheduled, dead: 0 }
  return { unsettled: scheduled + stats.ready + stats.inFlight + stats.retrying + stats.held, dead: stats.dead }
}
