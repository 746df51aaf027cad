/**
 * What the subscriptions of one pattern share: how many messages run at once, and how many are held, over all topics. Both are given in turn, so that a busy
 * topic keeps none waiting: who is refused is called, with the others, when there is something again.
 *
 * A message that may have killed a process runs alone, over all topics: the others give back what they hold, and take nothing until it is settled. What they
 * held when it kills another process would be suspected too.
 */
import { ask, HandlerPace, HOLD_CAP, type Lookahead } from './lookahead.js'

/** What one subscription is asked and told. */
export interface ShareHost {
  /** Messages that it holds, running ones and those that it asks Redis for included. */
  held(): number
  /** A message may start. */
  start(): void
  /** It may ask for messages. */
  pump(): void
  /** It is to give back what has not started. */
  giveBack(): void
  /** Messages that Redis has leased to it. */
  leased(): number
}

/** Topics that there is room for at once, when many wait: fewer messages at a time would be more requests than messages. */
const MOST_ASKING = 10
/** Starts in one turn of the event loop, when many wait: handlers that answer at once take their time too. */
const MOST_STARTS = 100

export class Share {
  /** Of all handlers, as if they were of one topic. */
  readonly pace: HandlerPace
  readonly #lookahead: Lookahead
  #running = 0
  #held = 0
  #isDue = false
  readonly #toStart = new Set<Place>()
  readonly #toAsk = new Set<Place>()
  /** Those that hold something. */
  readonly #holding = new Set<Place>()
  /** Whose turn it is to ask. */
  #turn: Place | undefined
  /** Whose message runs alone, or is to. */
  #alone: Place | undefined

  constructor({ concurrency, lookaheadMs, holdCap = HOLD_CAP }: Lookahead) {
    this.#lookahead = { concurrency, lookaheadMs, holdCap }
    this.pace = new HandlerPace(concurrency)
  }

  place(host: ShareHost): Place {
    return new Place(this, host)
  }

  /** @internal */
  mayStart(place: Place, isSuspect: boolean): boolean {
    // It comes with the settle of the one that ran alone, or after that was given back.
    if (!isSuspect && this.#alone === place) this.#reopen()
    if (isSuspect || this.#alone !== undefined) return this.#mayStartAlone(place)
    const isFree = this.#running < this.#lookahead.concurrency
    if (isFree && (this.#toStart.size === 0 || first(this.#toStart) === place)) return true
    this.#toStart.add(place)
    if (isFree) this.#schedule()
    return false
  }

  /** Also asked by those whose turn it is not: they are to give back what they hold. */
  #mayStartAlone(place: Place): boolean {
    if (this.#alone === place && !this.#othersHold(place)) return true
    if (this.#alone !== place) this.#schedule()
    this.#alone ??= place
    this.#toStart.add(place)
    return false
  }

  #reopen(): void {
    this.#alone = undefined
    this.#schedule()
  }

  #othersHold(place: Place): boolean {
    for (const other of this.#holding) if (other !== place && other.holds) return true
    return false
  }

  /** Whether another's message runs alone. @internal */
  isShutFor(place: Place): boolean {
    return this.#alone !== undefined && this.#alone !== place
  }

  /** @internal */
  started(place: Place): void {
    this.#running++
    this.#toStart.delete(place)
  }

  /** @internal */
  ended(): void {
    this.#running--
    if (this.#toStart.size > 0) this.#schedule()
  }

  /** It asks out of its turn, and may be given something. @internal */
  asksAside(place: Place): void {
    this.#holding.add(place)
  }

  /** @internal */
  changed(place: Place, held: number, by: number): void {
    this.#held += by
    if (held > 0) this.#holding.add(place)
    if (by < 0 && this.#toAsk.size > 0) this.#schedule()
  }

  /** @internal */
  updated(place: Place): void {
    if (!place.holds) this.#holding.delete(place)
    if (this.#alone === undefined) return
    // It is settled, or given back.
    if (this.#alone === place && place.host.leased() === 0) this.#reopen()
    else this.#schedule()
  }

  /** @internal */
  room(place: Place, own: number): number {
    if (this.isShutFor(place) || (this.#toAsk.size > 0 && this.#turn !== place)) {
      this.#toAsk.add(place)
      this.#schedule()
      return 0
    }
    const room = ask(this.#lookahead, this.pace.perMessageMs, this.#held)
    if (room === 0) {
      this.#toAsk.add(place)
      return 0
    }
    return Math.min(own, Math.ceil(room / Math.min(this.#toAsk.size + 1, MOST_ASKING)))
  }

  /** @internal */
  left(place: Place): void {
    this.#toStart.delete(place)
    this.#toAsk.delete(place)
    this.#holding.delete(place)
    if (this.#alone === place) this.#alone = undefined
    if (this.#alone !== undefined || this.#toStart.size > 0 || this.#toAsk.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      if (this.#alone === undefined) {
        this.#giveStarts()
        this.#giveRoom()
      } else this.#clearFor(this.#alone)
    })
  }

  #clearFor(alone: Place): void {
    for (const other of [...this.#holding]) if (other !== alone) other.host.giveBack()
    alone.host.start()
  }

  #giveStarts(): void {
    const { concurrency } = this.#lookahead
    for (let i = 0; this.#toStart.size > 0 && this.#running < concurrency; i++) {
      if (i === MOST_STARTS) {
        this.#schedule()
        return
      }
      const place = first(this.#toStart) as Place
      place.host.start()
      // It could not, for reasons of its own, and comes back by itself.
      if (this.#running < concurrency && first(this.#toStart) === place) this.#toStart.delete(place)
    }
  }

  #giveRoom(): void {
    for (let n = this.#toAsk.size; n > 0 && ask(this.#lookahead, this.pace.perMessageMs, this.#held) > 0; n--) {
      const place = first(this.#toAsk) as Place
      this.#toAsk.delete(place)
      this.#turn = place
      place.host.pump()
      this.#turn = undefined
    }
  }
}

/** One subscription in a share. */
export class Place {
  readonly host: ShareHost
  readonly #share: Share
  #held = 0
  #hasLeft = false

  constructor(share: Share, host: ShareHost) {
    this.#share = share
    this.host = host
  }

  get pace(): HandlerPace {
    return this.#share.pace
  }

  /** Whether it holds anything in Redis, or is about to. */
  get holds(): boolean {
    return this.#held > 0 || this.host.leased() > 0 || this.host.held() > 0
  }

  get isShut(): boolean {
    return this.#share.isShutFor(this)
  }

  /** Whether a message may start; if not, it is called. `isSuspect`: it may have killed a process. */
  mayStart(isSuspect: boolean): boolean {
    return this.#share.mayStart(this, isSuspect)
  }

  started(): void {
    this.#share.started(this)
  }

  ended(): void {
    this.#share.ended()
  }

  /** What it holds may have changed. */
  update(): void {
    if (this.#hasLeft) return
    this.#count(this.host.held())
    this.#share.updated(this)
  }

  /** How many of `own` it may ask for; they count as held until the next `update`. If none, it is called when there is room. */
  room(own: number): number {
    this.update()
    if (own <= 0) return 0
    const room = this.#share.room(this, own)
    if (room > 0) this.#count(this.#held + room)
    return room
  }

  /** It goes on waiting for a wake with a request that is sent anyway: that needs no turn, and no room. But it may be given something, beside which nothing runs alone. */
  roomAside(own: number): number {
    if (own > 0) this.#share.asksAside(this)
    return own
  }

  /** It asks for nothing more. What still runs goes on to count as running. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#count(0)
    this.#share.left(this)
  }

  #count(held: number): void {
    const by = held - this.#held
    if (by === 0) return
    this.#held = held
    this.#share.changed(this, held, by)
  }
}

function first<T>(of: ReadonlySet<T>): T | undefined {
  for (const each of of) return each
  return undefined
}
