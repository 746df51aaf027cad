/** From how a run ended to what is settled: the outcome by the retry policy, its guards' arguments, its log line. */
import type { Settle, SettleGuardCall, StagedPublish } from '@busway/lua'
import type { Outcome } from '../api/index.js'
import { BuswayError, UnrecoverableError } from '../errors/index.js'
import { encodeError, loggable, toError } from './error-record.js'
import { judge, type RetrySettings } from './retry-policy.js'
import type { Run, RunSubject } from './run.js'
import type { Ended, SettleSink } from './settle-unit.js'

/** Bytes. A result for `reportTo` is part of a settle, which must stay small. */
const RESULT_LIMIT = 256 * 1024

export class Verdicts {
  readonly #subject: RunSubject
  readonly #retry: RetrySettings
  /** Nobody observes or guards settles: a plain success is an ack without anything to remember. */
  readonly #isBare: boolean

  constructor(subject: RunSubject, retry: RetrySettings) {
    this.#subject = subject
    this.#retry = retry
    this.#isBare = subject.pipeline.guards.settle.length === 0 && !subject.pipeline.listens('settled')
  }

  succeeded(run: Run, result: unknown, staged: readonly StagedPublish[] | undefined, runMs: number): void {
    const { range, index } = run
    const { reportTo, keepResultMs } = range.envelope()
    const isAskedFor = reportTo !== undefined || keepResultMs !== undefined
    const isWatched = result !== undefined && this.#subject.watching.isOn
    if (this.#isBare && staged === undefined && !isAskedFor && !isWatched) {
      sinkOf(run).done(range, index)
      return
    }
    const outcome: Outcome = { kind: 'done', result }
    const ended = this.#ended(run, outcome, runMs)
    const guardCalls = this.#guardCalls(run, outcome)
    const resultJson = isAskedFor || isWatched ? this.#resultJson(run, result, isAskedFor) : undefined
    if (guardCalls === undefined && staged === undefined && resultJson === undefined) {
      sinkOf(run).done(range, index, ended)
      return
    }
    this.#tell(run, ended, {
      ...this.#address(run, guardCalls),
      outcome: 'done',
      ...(resultJson === undefined ? {} : { result: resultJson }),
      ...(staged === undefined || staged.length === 0 ? {} : { staged }),
    })
  }

  /** Answers whether it is tried again. */
  failed(run: Run, thrown: unknown, runMs: number): boolean {
    const error = toError(thrown)
    if (run.abortReason?.code === 'CANCELLED') {
      this.#dead(run, error, 'cancelled', runMs)
      return false
    }
    const verdict = judge(this.#retry, run.message.attempt, error, Math.random())
    if (verdict.kind === 'dead') {
      this.#dead(run, error, verdict.reason, runMs)
      return false
    }
    const { delayMs, counted } = verdict
    const outcome: Outcome = { kind: 'retry', error, delayMs, counted }
    const level = run.member?.isLogged ? 'debug' : 'warn'
    run.log[level](
      { error: `${error.name}: ${error.message}`, retryInMs: delayMs },
      'The handler failed; it is tried again',
    )
    this.#tell(run, this.#ended(run, outcome, runMs), {
      ...this.#address(run, this.#guardCalls(run, outcome)),
      outcome: 'retry',
      delayMs,
      counted,
      error: encodeError(error),
    })
    return true
  }

  /** Its envelope or body can't be read. What may pass by itself is tried again: answers whether it is. */
  undecodable(run: Run, thrown: unknown, runMs: number): boolean {
    const error = toError(thrown)
    const mayPass =
      error instanceof BuswayError && !(error instanceof UnrecoverableError) && error.code !== 'UNDECODABLE'
    if (run.range.isLost) this.#lost(run, error, runMs)
    else if (mayPass) return this.failed(run, error, runMs)
    else this.#dead(run, error, 'undecodable', runMs)
    return false
  }

  /** Nothing is left of it but its place in the books, which is cleared. */
  #lost(run: Run, error: Error, runMs: number): void {
    run.log.error({ err: error }, 'Redis has lost a message: is its maxmemory-policy noeviction?')
    const ended = this.#ended(run, { kind: 'dead', error, reason: 'undecodable' }, runMs)
    sinkOf(run).done(run.range, run.index, ended)
  }

  /** Its time was up before it could start. */
  expired(run: Run): void {
    this.#dead(run, new Error('It expired before it could start'), 'expired', 0)
  }

  /** It was cancelled before it could start. */
  cancelled(run: Run): void {
    this.#dead(run, new BuswayError('CANCELLED', 'It was cancelled before it could start'), 'cancelled', 0)
  }

  /** Its attempts were used up by others (crashes, another policy): it does not run. */
  exhausted(run: Run): void {
    const recorded = run.range.failure?.attempts ?? 0
    const error = new Error(`${recorded} attempts are on record and the policy allows ${this.#retry.attempts}`)
    this.#dead(run, error, 'attempts', 0)
  }

  #dead(run: Run, error: Error, reason: (Outcome & { kind: 'dead' })['reason'], runMs: number): void {
    const outcome: Outcome = { kind: 'dead', error, reason }
    if (reason === 'cancelled') run.log.info({ reason }, 'The message was cancelled: it is a dead letter')
    else run.log.error({ err: loggable(error), reason }, 'The message is a dead letter')
    this.#tell(run, this.#ended(run, outcome, runMs), {
      ...this.#address(run, this.#guardCalls(run, outcome)),
      outcome: 'dead',
      reason,
      error: encodeError(error),
    })
  }

  #tell(run: Run, ended: Ended | undefined, settle: Settle): void {
    sinkOf(run).tell(run.range, run.index, settle, ended)
  }

  #ended(run: Run, outcome: Outcome, runMs: number): Ended | undefined {
    return this.#subject.pipeline.listens('settled') ? { run, outcome, runMs } : undefined
  }

  #address(run: Run, guardCalls: readonly SettleGuardCall[] | undefined) {
    const address = { lease: run.range.lease, index: run.range.from + run.index }
    return guardCalls === undefined ? address : { ...address, guardCalls }
  }

  #guardCalls(run: Run, outcome: Outcome): readonly SettleGuardCall[] | undefined {
    const calls: SettleGuardCall[] = []
    const { settle } = this.#subject.pipeline.guards
    for (let guard = 0; guard < settle.length; guard++) {
      const registered = settle[guard]
      if (registered === undefined) continue
      try {
        const args = run.settleArgs?.get(registered.name) ?? registered.args(run, outcome)
        if (args !== undefined) calls.push({ guard, args })
      } catch (error) {
        // The message has run: a guard's fault must not make it run again.
        run.log.error(
          { err: error, plugin: registered.plugin, guard: registered.name },
          'A settle guard gave no arguments',
        )
      }
    }
    return calls.length === 0 ? undefined : calls
  }

  /** For whoever is told of the end; or `!` and why the result can't be told: the message has run, and must not run again for that. */
  #resultJson(run: Run, result: unknown, isAskedFor: boolean): string | undefined {
    if (result === undefined) return undefined
    let why: string
    try {
      const json = JSON.stringify(result) as string | undefined
      if (json === undefined) return undefined
      const bytes = Buffer.byteLength(json)
      if (bytes <= RESULT_LIMIT) return json
      why = `The handler's result has ${bytes} bytes, ${RESULT_LIMIT} can be told`
    } catch (error) {
      why = `The handler's result cannot be written as JSON: ${error}`
    }
    // Who only watches is no reason to find fault with a handler.
    if (isAskedFor) run.log.warn(why)
    else run.log.debug(why)
    return `!${JSON.stringify({ name: 'BuswayError', message: why })}`
  }
}

const sinkOf = ({ member, range }: Run): SettleSink => member?.sink ?? range.held.settler
