/** What the gateway will do with the notification about a flight. */
export type Fate =
  | { kind: 'accepted' }
  /** Refused so many times, then accepted. */
  | { kind: 'flaky'; refusals: number }
  /** Refused until the gateway is repaired. */
  | { kind: 'broken' }

const FLAKY_SHARE = 0.25
const BROKEN_SHARE = 0.08
const MOST_REFUSALS = 3

/** Decided by the seed and the flight alone: the same in every process, in whatever order notifications come. */
export function fateOf(seed: number, flight: number): Fate {
  const share = mix(seed, flight) / 2 ** 32
  if (share < BROKEN_SHARE) return { kind: 'broken' }
  if (share < BROKEN_SHARE + FLAKY_SHARE) return { kind: 'flaky', refusals: 1 + (mix(flight, seed) % MOST_REFUSALS) }
  return { kind: 'accepted' }
}

/** 32 well-mixed bits from two numbers (the finalizer of MurmurHash3). */
function mix(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
