/** What a subscription holds: how much more it asks for, and what it gives back because it does not come to run it. */

import { Backlog } from './backlog.js'
import type { HeldRange } from './held-range.js'
import { ask, giveBackAfterMs, HandlerPace, holdTarget, type Lookahead } from './lookahead.js'
import type { ConsumeSettings } from './settings.js'

export interface IntakeHost {
  /** A fetch is under way. */
  isAsking(): boolean
  /** Messages were given back, to be told to Redis. */
  gaveBack(): void
}

/** `all`, or all but a message that runs alone. */
type Leaving = 'all' | 'but solo'

export class Intake {
  readonly backlog = new Backlog()
  readonly pace: HandlerPace
  /** Takes nothing, and gives back what comes. */
  isShut = false

  readonly #settings: ConsumeSettings
  readonly #host: IntakeHost
  /** Changes when the group gets a limit, or loses it. */
  #lookahead: Lookahead
  /** Given back since the beginning, in messages. */
  givenBack = 0
  /** What is to be given back as soon as no fetch is under way. */
  #leaving: Leaving | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(settings: ConsumeSettings, host: IntakeHost, pace = new HandlerPace(settings.concurrency)) {
    this.#settings = settings
    this.#host = host
    this.#lookahead = settings
    this.pace = pace
  }

  /** How many to ask for; `others` are held or asked for beside the backlog. `isAtRisk`: no more than can start, see `Settler`. */
  room(others: number, isAtRisk: boolean): number {
    if (this.isShut || this.#leaving !== undefined) return 0
    const held = this.backlog.size - this.#cannotStart + others
    if (isAtRisk) return Math.max(0, this.#settings.concurrency - held)
    return ask(this.#lookahead, this.pace.perMessageMs, held)
  }

  /** Of a key one runs at a time, so those behind it must not keep those of other keys out. */
  get #cannotStart(): number {
    return Math.min(this.backlog.behind, this.#settings.concurrency)
  }

  /** The size of the backlog below which there is room, with all places taken: they are as long as it has anything. `occupied`: now. */
  refillAt(occupied: number): number {
    const { concurrency } = this.#settings
    const target = holdTarget(this.#lookahead, this.pace.perMessageMs)
    return Math.max(0, target - Math.ceil((target - concurrency) / 2) - Math.max(concurrency, occupied))
  }

  receive(ranges: readonly HeldRange[]): void {
    for (const range of ranges) this.backlog.push(range)
    if (this.isShut) this.giveBackAll()
    else if (this.backlog.size > 0) this.#watchAge()
  }

  /**
   * Under a limit of the group nothing is held ahead: it would count as in flight and hold up others. What is held ahead when the limit comes is
   * given back, so that it holds from then on.
   */
  limit(isLimited: boolean): void {
    if (isLimited === (this.#lookahead !== this.#settings)) return
    this.#lookahead = isLimited ? { ...this.#settings, lookaheadMs: 0 } : this.#settings
    if (isLimited && this.backlog.size > 0) this.#giveBack('but solo')
  }

  /** Gives back all that has not started, once nothing more is on its way. */
  giveBackAll(): void {
    this.#giveBack('all')
  }

  /** What was under way has been answered. */
  answered(): void {
    if (this.#leaving !== undefined) this.#giveBack(this.#leaving)
  }

  /**
   * What is given back goes to the head of the line. So it goes at once and with all that is behind it: neither may what a fetch under way brings
   * be given back after it, and stand before it, nor may what is kept here run before it.
   */
  #giveBack(leaving: Leaving): void {
    if (this.#host.isAsking()) {
      this.#leaving = this.#leaving === 'all' ? 'all' : leaving
      return
    }
    this.#leaving = undefined
    const ranges = this.backlog.takeOut(({ held }) => leaving === 'all' || !held.solo)
    if (ranges.length === 0) return
    for (const range of ranges) this.givenBack += range.held.settler.release(range)
    this.#host.gaveBack()
  }

  /** Drops what a session that is over held: it is not this one's to give back. */
  drop(which: (range: HeldRange) => boolean): void {
    this.#leaving = undefined
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
    const oldest = this.backlog.first
    if (oldest === undefined || oldest.held.solo || oldest.held.receivedMs > performance.now() - ageMs) return
    // So that what others could run is not asked for again at once.
    this.pace.observeAtLeast(ageMs)
    this.#giveBack('but solo')
  }
}
