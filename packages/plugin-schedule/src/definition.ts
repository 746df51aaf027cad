/** A schedule as it is stored: JSON, with moments in milliseconds. */
import type { PublishOptionsCore } from '@busway/bus'
import type { Timing } from './timing.js'
import type { MissedPolicy, Schedule } from './types.js'

/** What its owner said, in the form in which the same is the same text. */
export interface StoredSpec {
  readonly topic: string
  readonly body: unknown
  readonly cron?: string
  readonly everyMs?: number
  readonly timezone?: string
  readonly startAtMs?: number
  readonly endAtMs?: number
  readonly limit?: number
  readonly overlap: 'allow' | 'skip'
  readonly missed: MissedPolicy
  readonly options: Readonly<PublishOptionsCore>
}

export interface Definition {
  /** Of the last change: the pending time of another is stale. */
  readonly token: string
  readonly spec: StoredSpec
  /** From when its times count. */
  readonly anchorMs: number
  readonly paused: boolean
  readonly fired: number
  readonly nextMs?: number
  readonly lastMs?: number
  readonly lastId?: string
  readonly lastError?: string
}

export const timingOf = ({ spec, anchorMs }: Pick<Definition, 'spec' | 'anchorMs'>): Timing => ({
  startMs: spec.startAtMs ?? anchorMs,
  ...(spec.cron === undefined ? {} : { cron: spec.cron }),
  ...(spec.everyMs === undefined ? {} : { everyMs: spec.everyMs }),
  ...(spec.timezone === undefined ? {} : { timezone: spec.timezone }),
  ...(spec.endAtMs === undefined ? {} : { endMs: spec.endAtMs }),
})

export function scheduleOf(
  id: string,
  { spec, paused, fired, nextMs, lastMs, lastId, lastError }: Definition,
): Schedule {
  const { everyMs, startAtMs, endAtMs, options, ...rest } = spec
  return {
    id,
    ...rest,
    ...options,
    ...(everyMs === undefined ? {} : { every: everyMs }),
    ...(startAtMs === undefined ? {} : { startAt: new Date(startAtMs) }),
    ...(endAtMs === undefined ? {} : { endAt: new Date(endAtMs) }),
    paused,
    fired,
    ...(nextMs === undefined ? {} : { nextAt: new Date(nextMs) }),
    ...(lastMs === undefined ? {} : { lastAt: new Date(lastMs) }),
    ...(lastId === undefined ? {} : { lastId }),
    ...(lastError === undefined ? {} : { lastError }),
  }
}
