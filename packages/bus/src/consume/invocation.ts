import { compose } from '../plugins/chain.js'
import type { AnyHandler } from '../seams.js'
import { contextOf } from './handler-context.js'
import type { Run, RunSubject } from './run.js'
import type { ConsumeSettings } from './settings.js'

/** The handler with its context. */
export const handlerCall =
  (handler: AnyHandler) =>
  (run: Run): unknown =>
    handler(run.message, contextOf(run))

/** The middlewares around what a run calls; `undefined` if there are none. */
export function middlewares(
  { pipeline: { handle } }: RunSubject,
  settings: ConsumeSettings,
): ((run: Run, call: () => Promise<unknown>) => Promise<unknown>) | undefined {
  const own = compose(
    settings.use.map((middleware, i) => ({ from: `the subscription's use[${i}]`, run: middleware })),
    false,
  )
  if (handle === undefined || own === undefined) return handle ?? own
  return (run, call) => handle(run, () => own(run, call))
}

/** What a run calls, where there are any with the middlewares around it. */
export function invocation(call: (run: Run) => unknown, around: ReturnType<typeof middlewares>): (run: Run) => unknown {
  if (around === undefined) return call
  const callAsync = async (run: Run): Promise<unknown> => call(run)
  return (run) => around(run, () => callAsync(run))
}
