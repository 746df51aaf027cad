/** A delivery's place in a batch: on its way through the chain, gathered, then in the run of one batch. */
import type { BatchRun } from './batch-run.js'
import type { Run } from './run.js'
import type { SettleSink } from './settle-unit.js'

/** Told what came of a delivery in its batch. */
export type Settled = (member: BatchMember, result: unknown, failure: { readonly error: unknown } | undefined) => void

export class BatchMember {
  readonly run: Run
  /** Rises in the order of delivery. */
  readonly sequence: number
  state: 'coming' | 'gathered' | 'batched' | 'ended' = 'coming'
  batch: BatchRun | undefined
  /** Of a batch one member's time is measured, as that of all. */
  isSample = true
  /** It expired while it waited for others. */
  isExpired = false
  /** Its failure is its batch's, which has been logged. */
  isLogged = false
  /** Where its outcome goes, if not to its session by itself. */
  sink: SettleSink | undefined
  /** When it came through the chain. */
  arrivedMs = 0
  gatheredMs = 0
  limitedFromMs: number

  #settled: Settled | undefined

  constructor(run: Run, sequence: number) {
    this.run = run
    this.sequence = sequence
    this.limitedFromMs = run.startedMs
  }

  /** It waits for others. */
  gather(nowMs: number, settled: Settled): void {
    this.state = 'gathered'
    this.arrivedMs = nowMs
    this.limitedFromMs = Number.POSITIVE_INFINITY
    this.#settled = settled
  }

  startedIn(batch: BatchRun, nowMs: number): void {
    this.state = 'batched'
    this.batch = batch
    this.isSample = batch.members[0] === this
    this.gatheredMs = nowMs - this.arrivedMs
    this.limitedFromMs = nowMs
  }

  /** Its batch has run. */
  succeed(result: unknown): void {
    this.#settled?.(this, result, undefined)
  }

  fail(error: unknown): void {
    this.#settled?.(this, undefined, { error })
  }
}
