/** What callers are told of a publish that was not accepted: as much as is known, and what to do. */
import { BuswayError } from '../errors/busway-error.js'
import type { TopicRunner } from '../redis/bus-runner.js'
import { explainFailure } from '../redis/explain.js'
import type { RedisFailure } from '../seams.js'
import type { PublishRequest } from './request.js'

export class Told {
  readonly #topic: string
  readonly #runner: TopicRunner
  readonly #timeoutMs: number

  constructor(topic: string, runner: TopicRunner, timeoutMs: number) {
    this.#topic = topic
    this.#runner = runner
    this.#timeoutMs = timeoutMs
  }

  /** Of a request that is given up. */
  of(request: PublishRequest): BuswayError {
    return isUncertain(request) ? this.unknown(request.failure) : this.notDone(request.failure)
  }

  /** It may have happened. */
  unknown(failure: RedisFailure | undefined, when = `within ${this.#timeoutMs} ms`): BuswayError {
    return new BuswayError(
      'PUBLISH_UNKNOWN',
      `The publish to ${this.#topic} was sent to Redis at ${this.#runner.address.text}, and no answer came ${when}: it may or may not have happened. Publish again with an id of your own where twice would be wrong.`,
      { cause: failure },
    )
  }

  /** It has not happened. */
  notDone(failure: RedisFailure | undefined): BuswayError {
    if (failure === undefined || failure.kind === 'unsent') return this.#runner.problem ?? this.#runner.unavailable()
    return explainFailure(failure, this.#runner.address)
  }
}

export const isUncertain = ({ mayHaveHappened, isUnderWay }: PublishRequest): boolean => mayHaveHappened || isUnderWay

/** It will not pass by itself soon: telling it at once is better than waiting. */
export const isLasting = (problem: BuswayError): boolean =>
  problem.code !== 'REDIS_UNAVAILABLE' && problem.details.primary === undefined
