/** A producer's identity in Redis: request n of it runs only if n is the last + 1. */
import type { PublishRequest } from './request.js'

/** Redis forgets a session after 24 h without use: then a new one is opened, rather than a rollback suspected. */
const idleMostMs = 23 * 3_600_000

export class ProducerSession {
  id = ''
  isOpen = false
  /** The highest number that was answered: a server that has forgotten it was rolled back. */
  confirmed = 0
  #next = 1
  #answeredAt = 0

  /** Redis has registered it. */
  opened(id: string): void {
    this.id = id
    this.isOpen = true
    this.confirmed = 0
    this.#next = 1
    this.#answeredAt = performance.now()
  }

  get isForgotten(): boolean {
    return performance.now() - this.#answeredAt > idleMostMs
  }

  takeNumber(): number {
    return this.#next++
  }

  answered(number: number): void {
    this.confirmed = Math.max(this.confirmed, number)
    this.#answeredAt = performance.now()
  }

  /** Numbers what is unanswered without a gap from the last that Redis confirmed. */
  renumber(requests: readonly PublishRequest[]): void {
    let number = this.confirmed
    for (const request of requests) request.number = ++number
    this.#next = number + 1
  }
}
