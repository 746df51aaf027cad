/**
 * The subscriptions of one bus. None is there twice, and of those that overlap in one group only one takes part in a topic: the one that names it, else the
 * pattern that came first. Otherwise a bus would compete with itself, with two handlers for the same messages.
 */
import type { CloseReport } from './api/index.js'
import { PatternSubscription } from './consume/pattern-subscription.js'
import { BuswayError } from './errors/busway-error.js'
import type { OwnedSubscription } from './seams.js'

export class BusSubscriptions {
  /** By group and what they name. */
  readonly #all = new Map<string, OwnedSubscription>()
  readonly #patterns = new Set<PatternSubscription>()

  /** Throws DUPLICATE_SUBSCRIPTION. */
  add(subscription: OwnedSubscription): void {
    const { topic, group } = subscription
    const name = nameOf(group, topic)
    if (this.#all.has(name)) {
      throw new BuswayError(
        'DUPLICATE_SUBSCRIPTION',
        `This bus consumes ${topic} in the group ${group} already. Raise its concurrency, close it first, or give the second a group of its own.`,
      )
    }
    this.#all.set(name, subscription)
    const isPattern = subscription instanceof PatternSubscription
    if (isPattern) this.#patterns.add(subscription)
    else this.#review(group, topic)
    void subscription.closed.then(() => {
      this.#all.delete(name)
      if (isPattern) this.#patterns.delete(subscription)
      this.#review(group, isPattern ? undefined : topic)
    })
  }

  mayJoin(pattern: PatternSubscription, topic: string): boolean {
    if (this.#all.has(nameOf(pattern.group, topic))) return false
    for (const other of this.#patterns) {
      if (other === pattern) return true
      if (other.group === pattern.group && other.means(topic)) return false
    }
    return true
  }

  close(timeoutMs: () => number): Promise<CloseReport[]> {
    return Promise.all([...this.#all.values()].map((subscription) => subscription.close({ timeout: timeoutMs() })))
  }

  /** What one leaves or takes another may have to take or leave. */
  #review(group: string, topic: string | undefined): void {
    for (const pattern of this.#patterns) if (pattern.group === group) pattern.review(topic)
  }
}

/** Neither has a space. */
const nameOf = (group: string, topic: string): string => `${group} ${topic}`
