/**
 * What the subscriptions of one pattern share: how many messages run at once, and how many are held, over all topics. Both are given in turn, so that a busy
 * topic keeps none waiting: who is refused is called, with the others, when there is something again.
 */
import { ask, HandlerPace, type Lookahead } from './lookahead.js'

/** What one subscription is asked and told. */
export interface ShareHost {
  /** Messages that it holds, running ones and those that it asks Redis for included. */
  held(): number
  /** A message may start. */
  start(): void
  /** It may ask for messages. */
  pump(): void
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
  /** Whose turn it is to ask. */
  #turn: Place | undefined

  constructor({ concurrency, lookaheadMs }: Lookahead) {
    this.#lookahead = { concurrency, lookaheadMs }
    this.pace = new HandlerPace(concurrency)
  }

  place(host: ShareHost): Place {
    return new Place(this, host)
  }

  /** @internal */
  mayStart(place: Place): boolean {
    const isFree = this.#running < this.#lookahead.concurrency
    if (isFree && (this.#toStart.size === 0 || first(this.#toStart) === place)) return true
    this.#toStart.add(place)
    if (isFree) this.#schedule()
    return false
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

  /** @internal */
  changed(by: number): void {
    this.#held += by
    if (by < 0 && this.#toAsk.size > 0) this.#schedule()
  }

  /** @internal */
  room(place: Place, own: number): number {
    if (this.#toAsk.size > 0 && this.#turn !== place) {
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
    if (this.#toStart.size > 0 || this.#toAsk.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#giveStarts()
      this.#giveRoom()
    })
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

  /** Whether a message may start; if not, it is called. */
  mayStart(): boolean {
    return this.#share.mayStart(this)
  }

  started(): void {
    this.#share.started(this)
  }

  ended(): void {
    this.#share.ended()
  }

  /** What it holds may have changed. */
  update(): void {
    if (!this.#hasLeft) this.#count(this.host.held())
  }

  /** How many of `own` it may ask for; they count as held until the next `update`. If none, it is called when there is room. */
  room(own: number): number {
    this.update()
    if (own <= 0) return 0
    const room = this.#share.room(this, own)
    if (room > 0) this.#count(this.#held + room)
    return room
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
    this.#share.changed(by)
  }
}

function first<T>(of: ReadonlySet<T>): T | undefined {
  for (const each of of) return each
  return undefined
}
