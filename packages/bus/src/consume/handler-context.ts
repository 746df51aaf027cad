/** A handler's second argument. Everything on it is made when first used. */
import type { ConsumeContext, Logger } from '../api/index.js'
import type { Pipeline } from '../seams.js'
import type { Run } from './run.js'

class HandlerContext implements ConsumeContext {
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  static runOf(context: HandlerContext): Run {
    return context.#run
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

type Additions = Pipeline['context']

/** By what plugins add. */
const classes = new WeakMap<Additions, typeof HandlerContext>()

export function contextOf(run: Run): ConsumeContext {
  const additions = run.subject.pipeline.context
  if (additions.size === 0) return new HandlerContext(run)
  let Context = classes.get(additions)
  if (Context === undefined) {
    Context = extended(additions)
    classes.set(additions, Context)
  }
  return new Context(run)
}

/** What plugins add is on the prototype: a handler that does not ask for it does not pay for it. */
function extended(additions: Additions): typeof HandlerContext {
  class ExtendedContext extends HandlerContext {}
  for (const [name, make] of additions) {
    Object.defineProperty(ExtendedContext.prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: HandlerContext) {
        const value = make(HandlerContext.runOf(this))
        Object.defineProperty(this, name, { value, enumerable: true })
        return value
      },
    })
  }
  return ExtendedContext
}
