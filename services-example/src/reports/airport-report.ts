import type { Flight } from '../topics.js'

/** What a report says of one airport. */
export interface AirportReport {
  airport: string
  flights: number
  /** Minutes. */
  meanDelay: number
  /** The mean is between these with 95 % confidence. */
  between: [low: number, high: number]
}

const RESAMPLES = 400

/** The mean delay with its confidence, by resampling (Efron, Bootstrap Methods: Another Look at the Jackknife, 1979): work for a processor. */
export function airportReport(airport: string, flights: readonly Flight[]): AirportReport {
  const delays = flights.filter(({ origin }) => origin === airport).map(({ delay }) => delay)
  const random = seeded(delays.length)
  const means = Array.from({ length: RESAMPLES }, () => meanOf(delays.map(() => at(delays, random())))).sort(
    (a, b) => a - b,
  )
  return { airport, flights: delays.length, meanDelay: meanOf(delays), between: [at(means, 0.025), at(means, 0.975)] }
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** The value at a share of the way, from 0 up to 1. */
const at = (values: readonly number[], share: number): number => values[Math.floor(share * values.length)] as number

/** The same numbers each time (mulberry32), so that a part that is computed again comes to the same. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
