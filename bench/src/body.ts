/** What every message carries: 208 bytes of JSON, an order as a shop might send it. */
export interface Body {
  /** Position in its pass, from 0. */
  n: number
  /** When it was handed to the peer, by `clockUs()`. */
  sentAt: number
  customer: string
  currency: string
  total: number
  lines: { sku: string; quantity: number }[]
  note: string
}

/** The length of every body as JSON. */
export const BODY_BYTES = 208

/** Numbers start here, so that all have the same number of digits. */
const FIRST = 10_000_000

/** Body number `n` (below 90 million) of a pass. */
export function makeBody(n: number): Body {
  return {
    n: FIRST + n,
    sentAt: clockUs(),
    customer: 'c-000042-9f31',
    currency: 'EUR',
    total: 129.95,
    lines: [
      { sku: 'A-1004', quantity: 2 },
      { sku: 'B-2203', quantity: 1 },
    ],
    note: 'leave at the door, ring twice',
  }
}

/** The position that `makeBody` was given. */
export function numberOf(body: Body): number {
  return body.n - FIRST
}

const CLOCK_BASE_US = 1e15

/** The monotonic clock that all processes of a machine share, in µs, always with 16 digits. */
export function clockUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return CLOCK_BASE_US + seconds * 1e6 + Math.floor(nanoseconds / 1e3)
}
