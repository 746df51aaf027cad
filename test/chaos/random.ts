/** Chance that a seed repeats. */
export interface Random {
  /** From 0 up to, not including, `below`. */
  whole(below: number): number
  /** True once in `times`. */
  oneIn(times: number): boolean
  pick<T>(items: readonly T[]): T
}

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (below: number) => Math.floor(next() * below)
  return { whole, oneIn: (times) => whole(times) === 0, pick: (items) => items[whole(items.length)] as never }
}
