/** One run from its decoding to what its handler gave. It fails by its ending, never by throwing. */
import type { StagedPublish } from '@busway/lua'
import { JSON_TYPE } from '../wire/index.js'
import { decodeBody, decodeWith } from './body-decoder.js'
import type { Run, RunSubject } from './run.js'

export interface Failure {
  readonly error: unknown
  readonly at: 'decode' | 'handler'
}

/** How a run ended. */
export interface Ending {
  readonly result: unknown
  readonly staged: readonly StagedPublish[] | undefined
  readonly failure: Failure | undefined
  /** It was not alone in the process while it ran. */
  readonly waited: boolean
}

/** Runs without waiting where neither decoding nor the handler does: most messages cost no promise. */
export function runner(subject: RunSubject, invoke: (run: Run) => unknown): (run: Run) => Ending | Promise<Ending> {
  const { decode } = subject.pipeline
  const decodeAsync = async (run: Run): Promise<Ending> => {
    try {
      const { range, index, message } = run
      // Throws here what the lenient getters of the message would hide.
      const envelope = range.envelope()
      const { headers, contentType = JSON_TYPE } = envelope.extra(index)
      const { topic, id } = message
      message.body = await decodeWith(decode, { topic, id, headers, contentType, body: envelope.body(index) })
    } catch (error) {
      return failed({ error, at: 'decode' }, false)
    }
    // Its slot is another's by now, and its outcome is told.
    if (run.isAbandoned) return succeeded(undefined, undefined, false)
    const ending = handle(run, invoke)
    return ending instanceof Promise ? await ending : ending
  }
  return decode === undefined ? (run) => decoded(run) ?? handle(run, invoke) : decodeAsync
}

/** Decodes by the kernel. Answers the run's ending if that fails. */
export function decoded(run: Run): Ending | undefined {
  try {
    run.message.body = decodeBody(run.range, run.index)
    return undefined
  } catch (error) {
    return failed({ error, at: 'decode' }, false)
  }
}

/** The run has this result, once what it staged is encoded. */
export const withResult = (run: Run, result: unknown, waited: boolean): Ending | Promise<Ending> =>
  run.staging === undefined ? succeeded(result, undefined, waited) : waitFor(run, result)

export const handlerFailed = (error: unknown, waited: boolean): Ending => failed({ error, at: 'handler' }, waited)

function handle(run: Run, invoke: (run: Run) => unknown): Ending | Promise<Ending> {
  try {
    const result = invoke(run)
    return isThenable(result) ? waitFor(run, result) : withResult(run, result, false)
  } catch (error) {
    return handlerFailed(error, false)
  }
}

async function waitFor(run: Run, pending: unknown): Promise<Ending> {
  try {
    const result = isThenable(pending) ? await pending : pending
    return succeeded(result, run.staging === undefined ? undefined : await run.staging.all(), true)
  } catch (error) {
    return handlerFailed(error, true)
  }
}

const succeeded = (result: unknown, staged: Ending['staged'], waited: boolean): Ending => ({
  result,
  staged,
  failure: undefined,
  waited,
})
const failed = (failure: Failure, waited: boolean): Ending => ({
  result: undefined,
  staged: undefined,
  failure,
  waited,
})

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
