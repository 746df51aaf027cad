/** What the processes of a chaos run publish, and what their handlers do: decided by the message, so that a seed says it all. */
import { PARTS, REPORTS } from './flows.js'
import type { Random } from './random.js'

/** What handlers do with a message. `poison` ends their process, `more` adds children to a message of a flow. */
export type Plan = 'ok' | 'retry' | 'dead' | 'slow' | 'poison' | 'more'

export interface Body {
  readonly name: string
  readonly plan: Plan
  readonly keySeq?: number
}

export const LEASE_MS = 2500
export const ORDERS = 'orders.paid'
export const INVOICES = 'invoices.wanted'
export const TICKS = 'ticks.fired'
export const SCHEDULE = 'tick'

export interface Subscription {
  readonly topic: string
  readonly group: string
  /** Where the handler publishes to with its settle. */
  readonly stages?: string
  /** Whether what is planned to become a dead letter does. */
  readonly givesUp?: boolean
  readonly options: object
}

/** Who consumes what. */
export const SUBSCRIPTIONS: readonly Subscription[] = [
  { topic: ORDERS, group: 'ledger', stages: INVOICES, givesUp: true, options: {} },
  { topic: ORDERS, group: 'audit', options: { rate: { limit: 400, per: '1s', burst: 50 } } },
  { topic: INVOICES, group: 'mail', options: {} },
  { topic: TICKS, group: 'clock', options: {} },
  { topic: PARTS, group: 'parts', givesUp: true, options: {} },
  { topic: REPORTS, group: 'reports', options: {} },
]

/** All that messages are in; that of plugins, too. */
export const TOPICS = [...new Set(SUBSCRIPTIONS.map(({ topic }) => topic)), '$flow']

export const CONSUME = {
  concurrency: 5,
  lease: LEASE_MS,
  retry: { attempts: 20, delay: 30, maxDelay: 100, jitter: 0.5 },
}

/** What each publish of a run waits for. */
export const durabilityOf = (isDurable: boolean) => (isDurable ? { durability: { replicas: 1 } } : {})

export interface Publication {
  readonly body: Body
  readonly options: Readonly<Record<string, unknown>>
}

/** The messages of one producer, one after the other. */
export function publications(producer: string, random: Random): () => Publication {
  const keySeqs = new Map<string, number>()
  let seq = 0
  return () => {
    const name = `${producer}:${seq++}`
    const chance = random.whole(100)
    const plan: Plan = chance < 8 ? 'retry' : chance < 10 ? 'dead' : chance < 14 ? 'slow' : 'ok'
    if (random.oneIn(2)) {
      // Keys of its own: there is no order between the publishes of two producers.
      const key = `${producer}-${random.whole(4)}`
      const keySeq = keySeqs.get(key) ?? 0
      keySeqs.set(key, keySeq + 1)
      return { body: { name, plan, keySeq }, options: { key } }
    }
    if (random.oneIn(5)) return { body: { name, plan }, options: { delay: random.whole(400) } }
    // Every key twice, so that the second of a pair is a duplicate.
    if (random.oneIn(5))
      return { body: { name, plan }, options: { dedupe: { key: `${producer}-${seq >> 3}`, window: '1m' } } }
    return { body: { name, plan }, options: {} }
  }
}

/** How many messages a batch has, all or none of which are published. */
export const BATCH = 5

/** One without options: a batch is not split by what its messages want. */
export const plain = (name: string): Body => ({ name, plan: 'ok' })
