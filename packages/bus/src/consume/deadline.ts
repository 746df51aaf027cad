/** A moment that can be moved nearer, never further. */
export class Deadline {
  #atMs = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  readonly #waiting = new Set<() => void>()

  get leftMs(): number {
    return Math.max(0, this.#atMs - performance.now())
  }

  within(ms: number): void {
    const atMs = performance.now() + ms
    if (atMs >= this.#atMs) return
    this.#atMs = atMs
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#pass(), Math.min(ms, 2 ** 31 - 1))
  }

  /** Resolves when the promise does (or rejects), or the deadline passes, but not before `leastMs`; in any case after `mostMs`. */
  async or(promise: Promise<unknown>, leastMs = 0, mostMs = Number.POSITIVE_INFINITY): Promise<void> {
    let release: () => void = () => undefined
    let timer: NodeJS.Timeout | undefined
    let longest: NodeJS.Timeout | undefined
    const passed = new Promise<void>((resolve) => {
      release = () => {
        timer = setTimeout(resolve, leastMs)
      }
      if (this.leftMs === 0) release()
      else this.#waiting.add(release)
      if (mostMs < Number.POSITIVE_INFINITY) longest = setTimeout(resolve, mostMs)
    })
    await Promise.race([promise.catch(() => undefined), passed])
    this.#waiting.delete(release)
    clearTimeout(timer)
    clearTimeout(longest)
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }

  #pass(): void {
    for (const release of this.#waiting) release()
    this.#waiting.clear()
  }
}
