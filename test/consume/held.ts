/** Ranges for tests of what holds them, without a Redis. */
import { HeldRange } from '../../packages/bus/src/consume/held-range.js'
import { Settler, type SettlerListener } from '../../packages/bus/src/consume/settler.js'
import { encodeBatch, encodeProperties, type WireMessage } from '../../packages/bus/src/wire/index.js'

export const silent: SettlerListener = { rangeSettled: () => {}, confirmed: () => {} }

export interface RangeOptions {
  readonly lease?: number
  readonly count?: number
  readonly from?: number
  readonly settler?: Settler
  readonly skip?: readonly number[]
  readonly failure?: { attempts: number; crashes: number }
  readonly value?: Buffer | null
  readonly solo?: boolean
  readonly again?: boolean
  readonly key?: string
  /** Of each message; says how many there are. */
  readonly keys?: readonly string[]
}

/** A held range of `count` messages, the bodies their positions. */
export function heldRange(options: RangeOptions = {}): HeldRange {
  const {
    lease = 1,
    count = options.keys?.length ?? 1,
    from = 0,
    settler = new Settler(silent),
    skip,
    failure,
    solo = false,
    again = false,
    key,
    keys,
  } = options
  const value = options.value === undefined ? batchOf(count) : options.value
  const fetched = { lease, batch: 'session1-1-0', from, count, total: from + count, again, value }
  const range = new HeldRange(
    {
      ...fetched,
      ...(key === undefined ? {} : { key }),
      ...(keys === undefined ? {} : { keys }),
      ...(skip === undefined ? {} : { skip }),
      ...(failure === undefined ? {} : { failure }),
    },
    {
      settler,
      holder: { group: 'test@1', session: 'busAAAAA~1' },
      receivedMs: performance.now(),
      redelivered: false,
      solo,
    },
  )
  settler.add(range)
  return range
}

export interface Content {
  readonly body: string | Uint8Array
  readonly contentType?: string
  readonly headers?: Record<string, string>
}

export const batchOf = (count: number): Buffer => batch(Array.from({ length: count }, (_, i) => ({ body: String(i) })))

export function batch(
  contents: readonly Content[],
  properties: { source?: string; reportTo?: { topic: string } } = {},
): Buffer {
  const messages: WireMessage[] = contents.map(({ body, contentType, headers }) => ({
    body,
    bodyBytes: Buffer.byteLength(body),
    type: undefined,
    contentType,
    headers,
  }))
  return Buffer.from(encodeBatch(1_700_000_000_000, encodeProperties({ source: 'test', ...properties }), messages))
}
