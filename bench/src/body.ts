/** What every message carries: an order as a shop might send it, 208 bytes of JSON unless a scenario has larger ones. */
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

/** The length of every body as JSON, if nothing else is said. */
export const BODY_BYTES = 208

const NOTE = 'leave at the door, ring twice'
const notes = new Map([[BODY_BYTES, NOTE]])

/** Numbers start here, so that all have the same number of digits. */
const FIRST = 10_000_000

/** Body number `n` (below 90 million) of a pass, with so many bytes as JSON: what it has more is in its note. */
export function makeBody(n: number, bytes = BODY_BYTES): Body {
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
    note: notes.get(bytes) ?? noteFor(bytes),
  }
}

function noteFor(bytes: number): string {
  const note = NOTE.repeat(Math.ceil((bytes - BODY_BYTES) / NOTE.length) + 1).slice(0, NOTE.length + bytes - BODY_BYTES)
  notes.set(bytes, note)
  return note
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
