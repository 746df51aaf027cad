import { type Fate, fateOf } from './fate.js'

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
}

/** How much the gateway did so far. */
export interface GatewayCounts {
  accepted: number
  refused: number
}

/** The gateway without its HTTP: accepts a notification once a flight, or refuses it as its fate has it. */
export class Desk {
  readonly #seed: number
  readonly #accepted = new Set<number>()
  readonly #repeated: number[] = []
  readonly #refusals = new Map<number, number>()
  #refused = 0
  #repaired = false

  constructor(seed: number) {
    this.#seed = seed
  }

  notify(flight: number): Answer {
    if (this.#accepted.has(flight)) {
      this.#repeated.push(flight)
      return 'repeated'
    }
    if (!this.#repaired && this.#refuses(flight, fateOf(this.#seed, flight))) {
      this.#refused++
      return 'refused'
    }
    this.#accepted.add(flight)
    return 'accepted'
  }

  /** From now on everything is accepted. */
  repair(): void {
    this.#repaired = true
  }

  counts(): GatewayCounts {
    return { accepted: this.#accepted.size, refused: this.#refused }
  }

  report(): GatewayReport {
    return { accepted: [...this.#accepted], repeated: [...this.#repeated], refused: this.#refused }
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
