/** What a subscription holds: how much more it asks for, and what it gives back because it does not come to run it. */

import { Backlog } from './backlog.js'
import type { HeldRange } from './held-range.js'
import { ask, giveBackAfterMs, HandlerPace, holdTarget } from './lookahead.js'
import type { ConsumeSettings } from './settings.js'

export class Intake {
  readonly backlog = new Backlog()
  readonly pace: HandlerPace
  /** Takes nothing, and gives back what comes. */
  isShut = false

  readonly #settings: ConsumeSettings
  readonly #onStale: () => void
  #timer: NodeJS.Timeout | undefined

  /** `onStale`: messages were given back, to be told to Redis. */
  constructor(settings: ConsumeSettings, onStale: () => void) {
    this.#settings = settings
    this.#onStale = onStale
    this.pace = new HandlerPace(settings.concurrency)
  }

  /** How many to ask for; `others` are held or asked for beside the backlog. `isAtRisk`: no more than can start, see `Settler`. */
  room(others: number, isAtRisk: boolean): number {
    if (this.isShut) return 0
    const held = this.backlog.size + others
    if (isAtRisk) return Math.max(0, this.#settings.concurrency - held)
    return ask(this.#settings, this.pace.perMessageMs, held)
  }

  /** The size of the backlog below which there is room. */
  refillAt(running: number): number {
    const target = holdTarget(this.#settings, this.pace.perMessageMs)
    return Math.max(0, target - Math.ceil((target - this.#settings.concurrency) / 2) - running)
  }

  receive(ranges: readonly HeldRange[]): void {
    for (const range of ranges) this.backlog.push(range)
    if (this.isShut) this.giveBackAll()
    else if (this.backlog.size > 0) this.#watchAge()
  }

  /** Gives back all that has not started. Answers how many messages. */
  giveBackAll(): number {
    return release(this.backlog.takeOut(() => true))
  }

  /** Drops what a session that is over held: it is not this one's to give back. */
  drop(which: (range: HeldRange) => boolean): void {
    this.backlog.takeOut(which)
  }

  close(): void {
    this.isShut = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #watchAge(): void {
    if (this.#timer !== undefined) return
    const ageMs = giveBackAfterMs(this.#settings)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#giveBackStale(ageMs)
      if (this.backlog.size > 0) this.#watchAge()
    }, ageMs)
    this.#timer.unref()
  }

  #giveBackStale(ageMs: number): void {
    const limitMs = performance.now() - ageMs
    const stale = this.backlog.takeOut(({ held }) => !held.solo && held.receivedMs <= limitMs)
    if (stale.length === 0) return
    release(stale)
    // So that what others could run is not asked for again at once.
    this.pace.observeAtLeast(ageMs)
    this.#onStale()
  }
}

function release(ranges: readonly HeldRange[]): number {
  let count = 0
  for (const range of ranges) count += range.held.settler.release(range)
  return count
}
