import { type Fate, fateOf } from './fate.js'
import { NOTICE_FOR_MS } from './notice.js'

/** What became of one request to notify. */
export type Answer = 'accepted' | 'repeated' | 'refused'

/** Everything the gateway did, as it tells at the end. */
export interface GatewayReport {
  /** The flights whose notification was accepted. */
  accepted: number[]
  /** The flights of requests for what was accepted before, one entry a request. They change nothing. */
  repeated: number[]
  /** Requests refused. */
  refused: number
  /** Which place each accepted notification named: flight and place. */
  places: [flight: number, place: string][]
  /** The flights whose notice was taken down again. */
  withdrawn: number[]
  /** Those of them whose notice was not up for as long as it was meant to. */
  early: number[]
}

/** How much the gateway did so far. */
export interface GatewayCounts {
  accepted: number
  refused: number
  withdrawn: number
}

/** A message is due by Redis' clock in whole milliseconds, this is another. */
const CLOCKS_MS = 1

/** The gateway without its HTTP: accepts a notification once a flight, or refuses it as its fate has it, and takes it down when asked to. */
export class Desk {
  readonly #seed: number
  readonly #now: () => number
  /** Flight -> since when, and the place that it named. */
  readonly #accepted = new Map<number, { atMs: number; place: string }>()
  readonly #repeated: number[] = []
  readonly #refusals = new Map<number, number>()
  readonly #withdrawn = new Set<number>()
  readonly #early: number[] = []
  #refused = 0
  #repaired = false

  constructor(seed: number, now: () => number = () => performance.now()) {
    this.#seed = seed
    this.#now = now
  }

  notify(flight: number, place: string): Answer {
    if (this.#accepted.has(flight)) {
      this.#repeated.push(flight)
      return 'repeated'
    }
    if (!this.#repaired && this.#refuses(flight, fateOf(this.#seed, flight))) {
      this.#refused++
      return 'refused'
    }
    this.#accepted.set(flight, { atMs: this.#now(), place })
    return 'accepted'
  }

  /** Takes a notice down; again changes nothing. False if it was never up. */
  withdraw(flight: number): boolean {
    const accepted = this.#accepted.get(flight)
    if (accepted === undefined) return false
    if (this.#withdrawn.has(flight)) return true
    this.#withdrawn.add(flight)
    if (this.#now() - accepted.atMs < NOTICE_FOR_MS - CLOCKS_MS) this.#early.push(flight)
    return true
  }

  /** From now on everything is accepted. */
  repair(): void {
    this.#repaired = true
  }

  counts(): GatewayCounts {
    return { accepted: this.#accepted.size, refused: this.#refused, withdrawn: this.#withdrawn.size }
  }

  report(): GatewayReport {
    return {
      accepted: [...this.#accepted.keys()],
      repeated: [...this.#repeated],
      refused: this.#refused,
      places: [...this.#accepted].map(([flight, { place }]) => [flight, place]),
      withdrawn: [...this.#withdrawn],
      early: [...this.#early],
    }
  }

  #refuses(flight: number, fate: Fate): boolean {
    switch (fate.kind) {
      case 'accepted':
        return false
      case 'broken':
        return true
      case 'flaky': {
        const refusals = this.#refusals.get(flight) ?? 0
        this.#refusals.set(flight, refusals + 1)
        return refusals < fate.refusals
      }
    }
  }
}
