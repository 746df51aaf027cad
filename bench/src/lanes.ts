/** Runs what comes, so many at a time, the rest in the order in which it came: for peers whose clients leave that to their users. */
export class Lanes<T> {
  readonly #concurrency: number
  readonly #work: (item: T) => Promise<void>
  readonly #waiting: T[] = []
  #next = 0
  #running = 0

  /** `work` rejects never, or the process has a rejection that nobody handles. */
  constructor(concurrency: number, work: (item: T) => Promise<void>) {
    this.#concurrency = concurrency
    this.#work = work
  }

  add(item: T): void {
    if (this.#running < this.#concurrency) void this.#run(item)
    else this.#waiting.push(item)
  }

  get isEmpty(): boolean {
    return this.#running === 0
  }

  async #run(first: T): Promise<void> {
    this.#running++
    for (let item: T | undefined = first; item !== undefined; item = this.#take()) await this.#work(item)
    this.#running--
  }

  #take(): T | undefined {
    const item = this.#waiting[this.#next++]
    if (item !== undefined) return item
    this.#waiting.length = 0
    this.#next = 0
    return undefined
  }
}
