import { isFull } from '../support/effort.js'

/** How much a fuzz test does: 100,000 inputs in all where there is time, a part of them otherwise. */
export const inputs = (full: number): number => (isFull ? full : Math.ceil(full / 20))

/** No input may take longer than this, on a machine that does other things as well. */
export const HANG_MS = 2_000

/** The time that the slowest took. */
export class Slowest {
  ms = 0

  time<T>(act: () => T): T {
    const begin = performance.now()
    try {
      return act()
    } finally {
      this.ms = Math.max(this.ms, performance.now() - begin)
    }
  }
}
