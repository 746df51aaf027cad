/**
 * Waiting until a bus has nothing to do.
 *
 * 1. Every topic's numbers are read, and what is left in them collected.
 * 2. Nothing left: they are read once more, in the opposite order, since a message that one topic's handler was publishing to another may have been seen
 *    in neither. Still nothing: idle.
 * 3. Something left: again after a moment, each twice as long as the one before up to a tenth of a second, so that an idle bus is noticed at once and a
 *    busy one is asked no more than ten times a second; until the timeout.
 */
import type { BusTopics, BusTypes, Duration, TopicName, TopicStats } from '@busway/bus'
import { durationMs } from './duration.js'
import { leftIn, NotIdleError, type WaitingState } from './not-idle.js'

/** What `idle` waits for. */
export interface IdleOptions {
  /** Then it rejects with a `NotIdleError`. Default: `10s`. */
  timeout?: Duration
  /**
   * What need not come to an end: messages that are `retrying` (put off until their next attempt), `scheduled` (delayed, not yet due) or `unclaimed` (of
   * topics that no group has come for). Default: nothing, all of it is waited for.
   */
  ignore?: readonly WaitingState[]
}

/** The part of a bus that is asked. */
export interface Askable extends BusTypes {
  topics(): Promise<string[]>
  topic(name: never): { stats(): Promise<TopicStats> }
}

const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 100

/**
 * Resolves when nothing waits, runs, is retried or is on its way to another topic, in `topics` or else in all that the bus may use; whichever process
 * consumes them. Dead letters are at their end. Await your own publishes first. Rejects with a `NotIdleError` that says what is left, and with the
 * bus' errors.
 *
 * @example
 * await bus.publish('orders.paid', { id: '1' })
 * await idle(bus)
 * expect(ledger.entries).to.have.length(1)
 */
export async function idle<B extends Askable>(
  bus: B,
  topics?: readonly TopicName<BusTopics<B>>[],
  options: IdleOptions = {},
): Promise<void> {
  const timeoutMs = durationMs(options.timeout ?? '10s')
  const ignored = new Set(options.ignore)
  let left: readonly string[] = ['the bus has not answered yet']
  let timer: NodeJS.Timeout | undefined
  let wakeUp: (() => void) | undefined
  let isOver = false
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NotIdleError(timeoutMs, left)), timeoutMs)
  })
  const watch = async (): Promise<void> => {
    let wasClear = false
    for (let pauseMs = FIRST_PAUSE_MS; !isOver; ) {
      const names = topics ?? (await bus.topics())
      left = await look(bus, wasClear ? [...names].reverse() : names, ignored)
      const isClear = left.length === 0
      if (isClear && wasClear) return
      wasClear = isClear
      if (isClear) continue
      await new Promise<void>((resolve) => {
        wakeUp = resolve
        setTimeout(resolve, pauseMs)
      })
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
    }
  }
  try {
    await Promise.race([watch(), timeUp])
  } finally {
    isOver = true
    clearTimeout(timer)
    wakeUp?.()
  }
}

async function look(bus: Askable, names: readonly string[], ignored: ReadonlySet<WaitingState>): Promise<string[]> {
  const left: string[] = []
  for (const name of names) {
    const topic = known(bus, name)
    if (topic !== undefined) left.push(...leftIn(name, await topic.stats(), ignored))
  }
  return left
}

/** Of a topic that others use and this bus does not define, nothing is known. */
function known(bus: Askable, name: string): { stats(): Promise<TopicStats> } | undefined {
  try {
    return bus.topic(name as never)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'INVALID_TOPIC') return undefined
    throw error
  }
}
