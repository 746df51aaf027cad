/** One scenario with one peer: warm-up, then one measured pass, in a process of its own. */
import { type Measurement, measure } from './measure.js'
import type { Peer } from './peer.js'
import type { Scenario, Stage } from './scenario.js'
import type { ServerUse } from './server-info.js'

export interface TrialOptions {
  redisUrl: string
  /** How long the measured pass should take. It ends when its messages do. */
  seconds: number
  /** How long is practised before. */
  warmUpSeconds: number
  /** Fixes the number of messages, instead of `seconds`. */
  messages?: number | undefined
}

const FIRST_PASS = 100
const FEWEST = 50

export async function runTrial(
  peer: Peer,
  scenario: Scenario,
  serverUse: () => Promise<ServerUse>,
  options: TrialOptions,
): Promise<Measurement> {
  const stage = await scenario.open(peer, options)
  const fixed = options.messages ?? scenario.messages
  const perSecond = await warmUp(stage, { ...options, messages: fixed ?? scenario.mostMessages })
  const messages =
    fixed ??
    Math.min(
      scenario.mostMessages ?? Infinity,
      Math.max(scenario.fewestMessages ?? FEWEST, Math.round(perSecond * options.seconds)),
    )
  let measurement: Measurement | undefined
  await stage.pass(messages, async (work) => {
    measurement = await measure(serverUse, messages, work)
  })
  await stage.close()
  if (!measurement) throw new Error(`${scenario.name} has timed nothing.`)
  return measurement
}

/** Runs ever longer passes until `warmUpSeconds` are spent, and tells the last one's rate. */
async function warmUp(stage: Stage, { warmUpSeconds, messages: limit = Infinity }: TrialOptions): Promise<number> {
  let messages = Math.min(FIRST_PASS, limit)
  for (let spent = 0; ; ) {
    let seconds = 0
    await stage.pass(messages, async (work) => {
      const start = performance.now()
      await work()
      seconds = (performance.now() - start) / 1000
    })
    spent += seconds
    const perSecond = messages / seconds
    const left = warmUpSeconds - spent
    if (left <= 0.1 * warmUpSeconds) return perSecond
    messages = Math.min(Math.max(FEWEST, Math.round(perSecond * left)), messages * 8, limit)
  }
}
