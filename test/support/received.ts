/** Collects what a handler or an observer saw, and lets a test wait for it. */
import { deadline } from './deadline.js'

export class Received<T> {
  readonly items: T[] = []
  #waiters: { ready: (items: readonly T[]) => boolean; resolve: () => void }[] = []

  readonly add = (item: T): void => {
    this.items.push(item)
    this.#waiters = this.#waiters.filter(({ ready, resolve }) => {
      if (!ready(this.items)) return true
      resolve()
      return false
    })
  }

  /** Resolves with the first `count` items as soon as there are as many. */
  async count(count: number, withinMs?: number): Promise<T[]> {
    await this.until((items) => items.length >= count, `${count} items`, withinMs)
    return this.items.slice(0, count)
  }

  /** Resolves with the first item that fits, past or future. */
  async first(fits: (item: T) => boolean, what = 'an item that fits', withinMs?: number): Promise<T> {
    await this.until((items) => items.some(fits), what, withinMs)
    return this.items.find(fits) as T
  }

  /** Resolves when `ready` holds; asked again at every item. */
  async until(ready: (items: readonly T[]) => boolean, what: string, withinMs?: number): Promise<void> {
    if (ready(this.items)) return
    const arrived = new Promise<void>((resolve) => this.#waiters.push({ ready, resolve }))
    await deadline(arrived, withinMs, () => `${what}; there are ${this.items.length}`)
  }
}

/** A promise to be settled from elsewhere: what a handler waits for until the test says go. */
export class Gate {
  #open!: () => void
  readonly opened: Promise<void> = new Promise((resolve) => {
    this.#open = resolve
  })
  open(): void {
    this.#open()
  }
}
