/** Time limits of runs: aborts a run's signal at its timeout, and gives it up one lease after its signal was aborted. One timer for all. */
import type { Run } from './run.js'

export interface RunWatchOptions {
  readonly timeoutMs: number | undefined
  readonly leaseMs: number
  readonly runs: () => Iterable<Run>
  readonly onTimeout: (run: Run, nowMs: number) => void
  readonly onOverdue: (run: Run, nowMs: number) => void
}

export class RunWatch {
  readonly #options: RunWatchOptions
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY

  constructor(options: RunWatchOptions) {
    this.#options = options
  }

  started(run: Run): void {
    const { timeoutMs } = this.#options
    if (timeoutMs !== undefined) this.#arm(run.limitedFromMs + timeoutMs)
  }

  aborted(run: Run): void {
    this.#arm(run.abortedMs + this.#options.leaseMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    const waitMs = Math.min(Math.max(0, Math.ceil(dueMs - performance.now())), 3_600_000)
    this.#timer = setTimeout(() => this.#look(), waitMs)
  }

  #look(): void {
    this.stop()
    const { timeoutMs, leaseMs, runs, onTimeout, onOverdue } = this.#options
    const nowMs = performance.now()
    for (const run of [...runs()]) {
      if (run.abortedMs === 0 && timeoutMs !== undefined && run.limitedFromMs + timeoutMs <= nowMs)
        onTimeout(run, nowMs)
      if (run.abortedMs > 0 && run.abortedMs + leaseMs <= nowMs) onOverdue(run, nowMs)
      else if (run.abortedMs > 0) this.#arm(run.abortedMs + leaseMs)
      else this.started(run)
    }
  }
}
