/**
 * How many messages a subscription holds. Pure.
 *
 * A message that is held unstarted waits here while another consumer may be idle, so no more is held than `lookaheadMs` of work, by the measured
 * handler time: a slow handler holds none beyond its free slots, a fast one holds enough never to wait for the network.
 */

/** Messages held unstarted, at most; also the most that one fetch gives. */
export const HOLD_CAP = 1_000
/** The weight of the newest measurement. */
const WEIGHT = 0.1

export interface Lookahead {
  readonly concurrency: number
  readonly lookaheadMs: number
  /** Messages held unstarted, at most. Default: `HOLD_CAP`; several subscriptions that share may hold more in all. */
  readonly holdCap?: number
}

/** Measured time of one message: of the subscription's whole capacity, so that ten at a time in 100 ms are 10 ms each. */
export class HandlerPace {
  #perMessageMs: number | undefined
  readonly #concurrency: number

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  get perMessageMs(): number | undefined {
    return this.#perMessageMs
  }

  /** A handler that answered without waiting had the process to itself, so its time is not shared by the slots. */
  observe(runMs: number, waited: boolean): void {
    const sample = waited ? runMs / this.#concurrency : runMs
    this.#perMessageMs =
      this.#perMessageMs === undefined ? sample : this.#perMessageMs + WEIGHT * (sample - this.#perMessageMs)
  }

  /** Runs that have not returned say something too: it takes at least this long. */
  observeAtLeast(runMs: number): void {
    const sample = runMs / this.#concurrency
    if (this.#perMessageMs === undefined || this.#perMessageMs < sample) this.#perMessageMs = sample
  }
}

/** How many messages to hold in all, running ones included. Before the first measurement only as many as can start at once. */
export function holdTarget(
  { concurrency, lookaheadMs, holdCap = HOLD_CAP }: Lookahead,
  perMessageMs: number | undefined,
): number {
  if (perMessageMs === undefined || lookaheadMs === 0) return concurrency
  const ahead = perMessageMs > 0 ? Math.floor(lookaheadMs / perMessageMs) : holdCap
  return concurrency + Math.min(ahead, holdCap)
}

/**
 * How many to ask for, given how many are held or asked for; 0 while it is better to wait. A fast handler asks when half of what it may hold ahead
 * is gone, so that batches stay large; a slow one whenever a slot is free.
 */
export function ask(lookahead: Lookahead, perMessageMs: number | undefined, held: number): number {
  const target = holdTarget(lookahead, perMessageMs)
  const room = target - held
  const least = Math.max(1, Math.ceil((target - lookahead.concurrency) / 2))
  return room >= least ? Math.min(room, lookahead.holdCap ?? HOLD_CAP) : 0
}

/** How old an unstarted message may get before it is given back to others. */
export const giveBackAfterMs = ({ lookaheadMs }: Lookahead): number => Math.max(4 * lookaheadMs, 100)
