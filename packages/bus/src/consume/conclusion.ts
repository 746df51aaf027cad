/** What follows from the end of a run: its verdict, or its refusal if its session is lost, and what becomes of the messages behind it. */
import type { Outcome } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Backlog } from './backlog.js'
import { toError } from './error-record.js'
import type { Run, RunSubject } from './run.js'
import type { ConsumeSettings } from './settings.js'
import type { Ended } from './settle-unit.js'
import type { Ending } from './single-run.js'
import { Verdicts } from './verdicts.js'

export interface ConclusionHost {
  /** A run ended. Called for each, so it is cheap. */
  progressed(): void
  /** A run ended whose session was lost: what it did is refused. */
  refused(ended: Ended): void
}

export class Conclusion {
  readonly #settings: ConsumeSettings
  readonly #backlog: Backlog
  readonly #host: ConclusionHost
  readonly #verdicts: Verdicts

  constructor(subject: RunSubject, settings: ConsumeSettings, backlog: Backlog, host: ConclusionHost) {
    this.#settings = settings
    this.#backlog = backlog
    this.#host = host
    this.#verdicts = new Verdicts(subject, settings.retry)
  }

  ended(run: Run, { result, staged, failure }: Ending, runMs: number): void {
    // A handler that stops at its signal may well return with its work undone; taken for success, the message would be lost.
    if (failure === undefined && run.abortReason?.code === 'HANDLER_TIMEOUT')
      failure = { error: run.abortReason, at: 'handler' }
    let isRetried = false
    if (run.range.held.settler.isLost) {
      const outcome: Outcome =
        failure === undefined
          ? { kind: 'done', result }
          : { kind: 'retry', error: toError(failure.error), delayMs: 0, counted: true }
      this.#host.refused({ run, outcome, runMs })
    } else if (run.member?.isExpired) this.#verdicts.expired(run)
    else if (failure === undefined) this.#verdicts.succeeded(run, result, staged, runMs)
    else if (failure.at === 'decode') isRetried = this.#verdicts.undecodable(run, failure.error, runMs)
    else isRetried = this.#verdicts.failed(run, failure.error, runMs)
    this.#passedOn(run, isRetried)
  }

  /** It hangs, and is settled as failed. */
  abandoned(run: Run, runMs: number): void {
    let isRetried = false
    if (!run.range.held.settler.isLost) {
      isRetried = this.#verdicts.failed(run, this.#hanging(run), runMs)
    }
    this.#passedOn(run, isRetried)
  }

  #hanging({ abortReason }: Run): BuswayError {
    if (abortReason?.code === 'CANCELLED')
      return new BuswayError('CANCELLED', 'The message was cancelled, and its handler did not return within one lease')
    const why = `The handler did not return within ${this.#settings.timeoutMs} ms and one lease`
    return new BuswayError('HANDLER_TIMEOUT', why)
  }

  /** It may not start: its attempts were used up by others. */
  exhausted(run: Run): void {
    this.#verdicts.exhausted(run)
    this.#passedOn(run, false)
  }

  /** It was cancelled before it could start, and taken out of the backlog. */
  cancelled(run: Run): void {
    this.#verdicts.cancelled(run)
    this.#host.progressed()
  }

  /** Its time was up before it could start. */
  expired(run: Run): void {
    this.#verdicts.expired(run)
    this.#passedOn(run, false)
  }

  #passedOn(run: Run, isRetried: boolean): void {
    this.#passKey(run, isRetried)
    this.#host.progressed()
  }

  /** A message with an ordering key has ended: the next of its key may start, unless it is tried again; then all that stands behind it goes back. */
  #passKey({ range, index }: Run, isRetried: boolean): void {
    const key = range.keyOf(index)
    if (key === undefined) return
    if (isRetried) for (const behind of this.#backlog.takeLine(key)) range.held.settler.release(behind)
    this.#backlog.ended(key)
  }
}
