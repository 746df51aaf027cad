import type { Scenario } from '../scenario.js'
import { consumeHundred, consumeOne } from './consume.js'
import { endToEnd } from './end-to-end.js'
import { idleLatency } from './idle-latency.js'
import { publishAwaited, publishBatch, publishConcurrent } from './publish.js'

/** Everything that is measured, in the order of the reports. */
export const SCENARIOS: readonly Scenario[] = [
  publishAwaited,
  publishConcurrent,
  publishBatch,
  consumeOne,
  consumeHundred,
  endToEnd,
  idleLatency,
]

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)
  if (!scenario) throw new Error(`There is no scenario ${name}, only ${SCENARIOS.map((each) => each.name).join(', ')}.`)
  return scenario
}
