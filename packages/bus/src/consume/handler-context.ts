/** A handler's second argument. Everything on it is made when first used; plugins' properties are put on it by the pipeline. */
import type { ConsumeContext, Logger } from '../api/index.js'
import type { Run } from './run.js'

class HandlerContext implements ConsumeContext {
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  get group(): string {
    return this.#run.group
  }

  get signal(): AbortSignal {
    return this.#run.signal
  }

  get log(): Logger {
    return this.#run.log
  }

  get publish(): ConsumeContext['publish'] {
    return this.#run.publish as ConsumeContext['publish']
  }

  get progress(): ConsumeContext['progress'] {
    return this.#run.progress
  }
}

export function contextOf(run: Run): ConsumeContext {
  const context = new HandlerContext(run)
  run.subject.pipeline.extendContext?.(context, run)
  return context
}
