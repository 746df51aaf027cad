/** Runs the handler over a batch, inside the `batch` chain, and tells each of its messages what came of it. */
import { AsyncResource } from 'node:async_hooks'
import type { StagedPublish } from '@busway/lua'
import { BatchError, BuswayError } from '../errors/index.js'
import type { AnyBatchHandler } from '../seams.js'
import type { BatchMember } from './batch-member.js'
import { BatchHandlerContext, type BatchRun } from './batch-run.js'
import { toError } from './error-record.js'
import type { RunSubject } from './run.js'

/** What a batch came to: each message's error, if it failed, and what was published by the batch if any did not. */
interface BatchEnding {
  readonly result: unknown
  /** Absent if none failed. */
  readonly failureOf: ((member: BatchMember) => { readonly error: unknown } | undefined) | undefined
  readonly staged: readonly StagedPublish[]
}

export class BatchRunner {
  readonly #invoke: (batch: BatchRun) => Promise<unknown>
  /** A batch runs in the subscription's context, not in that of the delivery that made it full. */
  readonly #context = new AsyncResource('busway.batch')

  constructor(subject: RunSubject, handler: AnyBatchHandler) {
    const call = async (batch: BatchRun): Promise<unknown> =>
      handler(
        batch.runs.map(({ message }) => message),
        new BatchHandlerContext(batch),
      )
    const chain = subject.pipeline.batch
    this.#invoke = chain === undefined ? call : (batch) => chain(batch.runs, () => call(batch))
  }

  /** Never rejects. */
  run(batch: BatchRun): Promise<void> {
    return this.#context.runInAsyncScope(async () => {
      const ending = await this.#ending(batch)
      batch.end()
      if (!batch.isGivenUp) conclude(batch, ending)
    })
  }

  async #ending(batch: BatchRun): Promise<BatchEnding> {
    let result: unknown
    let failures: ReadonlyMap<string, unknown> | undefined
    try {
      try {
        result = await this.#invoke(batch)
      } catch (error) {
        if (!(error instanceof BatchError)) throw error
        failures = named(error, batch)
      }
      // A handler that stops at its signal may well return with its work undone.
      if (batch.abortReason?.code === 'HANDLER_TIMEOUT') throw batch.abortReason
      const staged = (await batch.staging?.all()) ?? []
      const failureOf = failures && failing(failures)
      return { result, staged, failureOf }
    } catch (error) {
      return { result: undefined, staged: [], failureOf: () => ({ error }) }
    }
  }
}

const failing =
  (failures: ReadonlyMap<string, unknown>) =>
  ({ run: { message } }: BatchMember) =>
    failures.has(message.id) ? { error: failures.get(message.id) } : undefined

/** What it says failed. Throws if it names what is not in the batch: to take the message that was meant for done would lose it. */
function named(error: BatchError, batch: BatchRun): ReadonlyMap<string, unknown> {
  const ids = new Set(batch.runs.map(({ message }) => message.id))
  const strange = error.ids.filter((id) => !ids.has(id))
  if (strange.length === 0) return error.failures
  const some = strange
    .slice(0, 3)
    .map((id) => String(JSON.stringify(id)).slice(0, 100))
    .join(', ')
  throw new BuswayError(
    'BATCH_FAILED',
    `A BatchError named ${strange.length} ids that no message of the batch has (${some}), so all of the batch failed. Give it message.id of those that failed`,
    { cause: error, details: { ids: strange } },
  )
}

function conclude(batch: BatchRun, { result, failureOf, staged }: BatchEnding): void {
  const open = batch.members.filter(({ state }) => state === 'batched')
  const settler = open[0]?.run.range.held.settler
  if (settler === undefined) return
  if (staged.length > 0 && !settler.isLost) {
    const together = settler.together(open.length, staged)
    for (const member of open) member.sink = together
  }
  const failed: Failed[] = []
  for (const member of open) {
    const failure = failureOf?.(member)
    if (failure !== undefined) failed.push({ member, ...failure })
  }
  if (failed.length > 0) log(batch, failed)
  const failing = failed.length === 0 ? none : new Set(failed.map(({ member }) => member))
  for (const { member, error } of failed) {
    member.isLogged = true
    member.fail(error)
  }
  const results = Array.isArray(result) && result.length === batch.members.length ? result : []
  for (let i = 0; i < batch.members.length; i++) {
    const member = batch.members[i] as BatchMember
    if (!failing.has(member)) member.succeed(results[i])
  }
}

interface Failed {
  readonly member: BatchMember
  readonly error: unknown
}

const none: ReadonlySet<BatchMember> = new Set()

/** One line for all of them: a batch may be large. */
function log(batch: BatchRun, failed: readonly { readonly error: unknown }[]): void {
  const first = toError(failed[0]?.error)
  batch.log.warn(
    { failed: failed.length, error: `${first.name}: ${first.message}` },
    failed.length === batch.members.length ? 'The batch failed' : 'Messages of the batch failed',
  )
}
