/** The part of a processor that runs batches: what a run does instead of calling a handler of its own. */
import type { AnyBatchHandler } from '../seams.js'
import type { BatchMember } from './batch-member.js'
import type { BatchRun } from './batch-run.js'
import { BatchRunner } from './batch-runner.js'
import { realClock } from './clock.js'
import { Gatherer, type GathererHost } from './gatherer.js'
import type { Run, RunSubject } from './run.js'
import type { BatchSettings } from './settings.js'
import { decoded, type Ending, handlerFailed, withResult } from './single-run.js'

export interface BatchingHost extends Omit<GathererHost, 'run'> {
  /** A time limit begins. */
  watch(run: Run): void
  /** A batch has ended, after this time; there may be a place for another. */
  batchEnded(ranMs: number): void
}

export class Batching {
  readonly gatherer: Gatherer
  readonly #runner: BatchRunner
  readonly #host: BatchingHost

  constructor(subject: RunSubject, settings: BatchSettings, handler: AnyBatchHandler, host: BatchingHost) {
    this.#host = host
    this.#runner = new BatchRunner(subject, handler)
    this.gatherer = new Gatherer(subject, settings, { ...host, run: (batch) => void this.#run(batch) }, realClock)
  }

  /** Inside a chain of middlewares: ends as the run's batch has ended for it. */
  call(run: Run): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.gatherer.gather(run, (_member, result, failure) => {
        if (failure === undefined) resolve(result)
        else reject(failure.error)
      })
    })
  }

  /** Where there are no middlewares: the same without a promise for each message, which would cost more than all else. */
  join(run: Run, ended: (run: Run, ending: Ending) => void): void {
    const undecodable = decoded(run)
    if (undecodable !== undefined) {
      ended(run, undecodable)
      return
    }
    this.gatherer.gather(run, ({ run }: BatchMember, result, failure) => {
      const ending = failure === undefined ? withResult(run, result, true) : handlerFailed(failure.error, true)
      if (ending instanceof Promise) void ending.then((last) => ended(run, last))
      else ended(run, ending)
    })
  }

  async #run(batch: BatchRun): Promise<void> {
    const startedMs = performance.now()
    for (const run of batch.runs) this.#host.watch(run)
    await this.#runner.run(batch)
    this.gatherer.batchEnded(batch)
    this.#host.batchEnded(performance.now() - startedMs)
  }
}
