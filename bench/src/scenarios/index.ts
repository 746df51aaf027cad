import type { Scenario } from '../scenario.js'
import { backlogLarge, backlogMiddle, backlogSmall } from './backlog.js'
import { consumeHundred, consumeLarge, consumeOne, consumeTen } from './consume.js'
import { delayed } from './delayed.js'
import { endToEnd, endToEndLarge } from './end-to-end.js'
import { fanOutOne, fanOutTen, fanOutThree } from './fan-out.js'
import { idleLatency } from './idle-latency.js'
import { idleSubscriptions } from './idle-subscriptions.js'
import { keyedMany, keyedOne } from './keyed.js'
import { memoryAlone, memoryTogether } from './memory.js'
import { publishAwaited, publishBatch, publishConcurrent, publishLarge } from './publish.js'
import { rateHundred, rateThousand } from './rate.js'
import { steady } from './steady.js'

/** Everything that is measured, in the order of the reports. */
export const SCENARIOS: readonly Scenario[] = [
  publishAwaited,
  publishConcurrent,
  publishBatch,
  fanOutOne,
  fanOutThree,
  fanOutTen,
  consumeOne,
  consumeTen,
  consumeHundred,
  backlogSmall,
  backlogMiddle,
  backlogLarge,
  keyedOne,
  keyedMany,
  delayed,
  endToEnd,
  steady,
  idleLatency,
  ...publishLarge,
  ...consumeLarge,
  ...endToEndLarge,
  memoryTogether,
  memoryAlone,
  rateHundred,
  rateThousand,
  idleSubscriptions,
]

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)
  if (!scenario) throw new Error(`There is no scenario ${name}, only ${SCENARIOS.map((each) => each.name).join(', ')}.`)
  return scenario
}
