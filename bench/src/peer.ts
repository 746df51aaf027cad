import type { Body } from './body.js'

/** Where a trial's messages go. */
export interface Place {
  redisUrl: string
  /** Queue, topic, stream: whatever the peer calls it. Fresh for every pass. */
  queue: string
}

/** One side of the comparison. Each is a file in `peers/`; it does what its documentation recommends, with its defaults. */
export interface Peer {
  readonly name: string
  readonly version: string
  /** Resolves when the producer is connected and its first publish costs no more than the next. */
  openProducer(place: Place): Promise<Producer>
  /** Resolves when the consumer is connected; it takes nothing before `start()`. */
  openConsumer(place: Place, options: ConsumerOptions): Promise<Consumer>
}

export interface Producer {
  /** Resolves when the message is stored. */
  publish(body: Body): Promise<unknown>
  /** Resolves when all are stored, in one call of the peer's API. */
  publishBatch(bodies: Body[]): Promise<unknown>
  close(): Promise<void>
}

export interface ConsumerOptions {
  /** Handlers running at the same time. */
  concurrency: number
  /** The message is settled, and gone from Redis, some time after this has resolved. */
  handler(body: Body): Promise<void>
}

export interface Consumer {
  /** Resolves when the consumer takes part. */
  start(): Promise<void>
  /** Whether nothing waits and nothing is unsettled. */
  isDrained(): Promise<boolean>
  close(): Promise<void>
}
