/** A clock that a test moves. */
import type { Clock } from '../../packages/bus/src/consume/clock.js'

interface Alarm {
  readonly atMs: number
  readonly ring: () => void
}

export class FakeClock implements Clock {
  #nowMs = 1_000
  #alarms: Alarm[] = []

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, ring: () => void): () => void {
    const alarm = { atMs: this.#nowMs + ms, ring }
    this.#alarms.push(alarm)
    return () => {
      this.#alarms = this.#alarms.filter((each) => each !== alarm)
    }
  }

  /** Alarms that have not rung. */
  get set(): number {
    return this.#alarms.length
  }

  /** Moves on, and rings what falls due on the way, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#alarms.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#alarms = this.#alarms.filter((each) => each !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.ring()
    }
    this.#nowMs = untilMs
  }
}
