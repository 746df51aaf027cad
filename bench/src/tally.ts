import { setTimeout as sleep } from 'node:timers/promises'
import { type Body, numberOf } from './body.js'
import type { Consumer } from './peer.js'

/** How often a consumer that has handled everything is asked whether it is settled. */
const SETTLED_CHECK_MS = 2

/** Counts what is handled, so that nobody is fast by losing messages or handling them twice. */
export class Tally {
  /** Resolves when each message was handled once; rejects when one is handled again. */
  readonly complete: Promise<void>
  readonly #seen: Uint8Array
  #left: number
  #resolve!: () => void
  #reject!: (error: Error) => void

  constructor(messages: number) {
    this.#seen = new Uint8Array(messages)
    this.#left = messages
    this.complete = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.complete.catch(() => {})
  }

  add(body: Body): void {
    const n = numberOf(body)
    if (this.#seen[n] !== 0) this.#reject(new Error(`Message ${n} was handled twice, or was never sent.`))
    this.#seen[n] = 1
    if (--this.#left === 0) this.#resolve()
  }
}

/** Resolves when everything is handled, settled, and gone from the queue. */
export async function settled(tally: Tally, consumer: Consumer): Promise<void> {
  await tally.complete
  while (!(await consumer.isDrained())) await sleep(SETTLED_CHECK_MS)
}
