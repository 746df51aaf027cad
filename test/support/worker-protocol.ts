/** What a worker process and the test that started it say to each other over IPC. */
import type { BusOptions } from '@busway/bus'

/** What the worker's handler does with a message. */
export type Behaviour =
  /** Settles it at once. */
  | 'ack'
  /** Waits until the test says `release`, unless the body says `hold: false`, then settles it. */
  | 'hold'
  /** Waits likewise, then stages one publish to `outputTopic` with the message's body, and settles. */
  | 'stage'
  /** Kills its own process if the body says `poison: true`, else settles after `workMs`. */
  | 'poison'
  /** Returns the body and its process' id; waits for `release` first if the body says `hold: true`, throws a RangeError if it says `fail: true`. */
  | 'answer'
  /** Waits for its signal, and throws its reason; settles at once if the body says `hold: false`. */
  | 'obey'
  /** Requests `outputTopic` with the message's body and returns the reply. */
  | 'forward'

export interface WorkerSetup {
  readonly redis: NonNullable<BusOptions['redis']>
  readonly namespace: string
  readonly topic: string
  readonly behaviour: Behaviour
  readonly outputTopic?: string
  /** Of these topics. */
  readonly partitions?: number
  readonly workMs?: number
  /** A list in a Redis by itself (its address is text) to which each run writes `start <id> <pid>` before it begins and `end <id> <pid>` when it is over: their order over all workers. */
  readonly recordTo?: string
  /** Batches of such a size: then what is staged is one publish with a list of their bodies. For `ack`, `hold`, `stage` and `poison`. */
  readonly batch?: { readonly size: number; readonly wait?: number }
  /** Options of `consume`: group, concurrency, lease, maxCrashes ... */
  readonly consume?: Readonly<Record<string, unknown>>
}

export type Command = { readonly do: 'release' } | { readonly do: 'close' }

export type Report =
  | { readonly event: 'ready' }
  | { readonly event: 'started'; readonly id: string; readonly attempt: number; readonly body: unknown }
  /** The handler returned or threw. */
  | { readonly event: 'ended'; readonly id: string; readonly error?: string }
  | { readonly event: 'aborted'; readonly id: string; readonly reason: string }
  /** As the observer `settled` was told. */
  | { readonly event: 'settled'; readonly id: string; readonly outcome: string; readonly refused?: string }
  | { readonly event: 'closed' }
  | { readonly event: 'failed'; readonly error: string }
