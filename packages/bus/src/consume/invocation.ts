import type { ConsumeContext } from '../api/index.js'
import { compose } from '../plugins/chain.js'
import type { AnyHandler } from '../seams.js'
import { HandlerContext } from './handler-context.js'
import type { Run, RunSubject } from './run.js'
import type { ConsumeSettings } from './settings.js'

/** The handler with its context and, where there are any, the middlewares around it. */
export function invocation(subject: RunSubject, settings: ConsumeSettings, handler: AnyHandler): (run: Run) => unknown {
  const { extendContext, handle } = subject.pipeline
  const call = (run: Run): unknown => {
    const context = new HandlerContext(run) as ConsumeContext
    extendContext?.(context, run)
    return handler(run.message, context)
  }
  const own = compose(
    settings.use.map((middleware, i) => ({ from: `the subscription's use[${i}]`, run: middleware })),
    false,
  )
  const callAsync = async (run: Run): Promise<unknown> => call(run)
  if (handle === undefined && own === undefined) return call
  if (own === undefined) return (run) => handle?.(run, () => callAsync(run))
  if (handle === undefined) return (run) => own(run, () => callAsync(run))
  return (run) => handle(run, () => own(run, () => callAsync(run)))
}
