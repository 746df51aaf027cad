/** Tells observers and listeners what happens in a subscription. */
import type { Recovered } from '@busway/lua'
import { BuswayError } from '../errors/index.js'
import type { ConsumeDependencies } from '../seams.js'
import { wallMs } from '../wall-clock.js'
import type { Run, RunSubject } from './run.js'
import type { Times } from './session-parts.js'
import type { Ended } from './settle-unit.js'

export class SubscriptionEvents {
  readonly #subject: RunSubject
  readonly #dependencies: ConsumeDependencies

  constructor(subject: RunSubject, dependencies: ConsumeDependencies) {
    this.#subject = subject
    this.#dependencies = dependencies
  }

  fetched(count: number, { sentMs, answeredMs }: Times): void {
    const { pipeline, topic, group } = this.#subject
    if (!pipeline.listens('fetched')) return
    pipeline.emit('fetched', { topic, group, count, startMs: wallMs(sentMs), endMs: wallMs(answeredMs) })
  }

  settled({ run, outcome, runMs }: Ended, { sentMs, answeredMs }: Times): void {
    this.#subject.pipeline.emit('settled', {
      delivery: run,
      outcome,
      runMs,
      sinceMs: this.#sinceMs(run),
      settleStartMs: wallMs(sentMs),
      settleEndMs: wallMs(answeredMs),
    })
  }

  /** Its session is over: it runs, or ran, elsewhere, unless its settle was applied and the answer lost. */
  refused({ run, outcome, runMs, isUnanswered = false }: Ended): void {
    run.log.warn(
      { outcome: outcome.kind },
      isUnanswered
        ? 'The lease was lost before Redis answered the settle: the message is settled, or it runs elsewhere'
        : 'The settle was refused: the lease was lost while the message ran',
    )
    const { pipeline } = this.#subject
    if (!pipeline.listens('settled')) return
    const nowMs = wallMs(performance.now())
    pipeline.emit('settled', {
      delivery: run,
      outcome,
      runMs,
      sinceMs: this.#sinceMs(run),
      settleStartMs: nowMs,
      settleEndMs: nowMs,
      refused: 'LEASE_LOST',
      ...(isUnanswered && { unanswered: true }),
    })
  }

  recovered({ ranges, crashed, dead }: Recovered): void {
    const { pipeline, topic, group, log } = this.#subject
    log.warn({ ranges, crashed, dead }, 'Released what a consumer held that went silent')
    pipeline.emit('recovered', { topic, group, ranges, crashed, dead })
  }

  /** Answers the reason, for what still runs under the lost lease. */
  leaseLost(session: string, unsettled: number, running: number): BuswayError {
    const { log, topic, group } = this.#subject
    const error = new BuswayError(
      'LEASE_LOST',
      `The consumer of ${topic} in ${group} lost its lease: ${running} running and ${unsettled} finished messages run elsewhere, their settles and publishes are refused. Keep the event loop free (the sandbox plugin), or raise lease`,
      { details: { topic, group, running, unsettled } },
    )
    log.warn({ session, running, unsettled }, error.message)
    this.#dependencies.report('error', error)
    return error
  }

  rolledBack(session: string, unsettled: number, running: number): BuswayError {
    const { log, topic, group } = this.#subject
    const error = new BuswayError(
      'LEASE_LOST',
      'Redis is behind what it had confirmed (a failover, or a restart that lost a moment): what was settled in it may run again',
      { details: { topic, group, running, unsettled } },
    )
    log.error({ session, running, unsettled }, error.message)
    this.#dependencies.report('rollback', { topic, side: 'consumer', group })
    return error
  }

  /** On a close that ran out of time. */
  leftUnsettled(count: number): void {
    if (count > 0)
      this.#subject.log.warn(
        { count },
        'Closed before Redis confirmed what became of messages that had run: they run again',
      )
  }

  abandoned(run: Run): void {
    const { topic, group } = this.#subject
    run.log.error('The run did not return for a lease after its signal was aborted: it was given up')
    this.#dependencies.report('abandoned', { topic, group, id: run.message.id })
  }

  #sinceMs({ message }: Run): number {
    const { timeMs } = message
    return timeMs === 0 ? 0 : Math.max(0, this.#dependencies.runner.now() - timeMs)
  }
}
