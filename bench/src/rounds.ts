/** The run: every scenario with every peer, round after round, each peer first in turn. */
import type { Redis } from 'ioredis'
import type { BenchOptions } from './options.js'
import type { PeerName } from './peers/index.js'
import { type Scenario, takesPart } from './scenario.js'
import { forkTrial, type TrialAnswer } from './trial-process.js'

export interface Trial extends TrialAnswer {
  scenario: string
  peer: PeerName
  /** From 0. */
  round: number
}

export interface Failure {
  scenario: string
  peer: PeerName
  round: number
  error: string
}

export interface RunEvents {
  measured(trial: Trial): void
  failed(failure: Failure): void
}

/** Longer than any trial should take: a peer that hangs must not hold up the others. */
const TRIAL_TIMEOUT_MS = 300_000

export async function runRounds(
  redis: Redis,
  redisUrl: string,
  options: BenchOptions,
  events: RunEvents,
  execArgvOf: (scenario: Scenario, peer: PeerName) => string[],
): Promise<void> {
  for (let round = 0; round < options.rounds; round++) {
    for (const scenario of options.scenarios) {
      for (const peer of inTurn(options.peers, round)) {
        if (!takesPart(peer, scenario) || round >= (scenario.mostRounds ?? Infinity)) continue
        const place = { scenario: scenario.name, peer, round }
        try {
          const answer = await runApart(redisUrl, options, scenario, peer, execArgvOf(scenario, peer))
          events.measured({ ...place, ...answer })
        } catch (error) {
          events.failed({ ...place, error: error instanceof Error ? error.message : String(error) })
        }
        await redis.flushall()
      }
    }
  }
}

/** The same peers, another first in each round. */
export function inTurn<T>(peers: readonly T[], round: number): T[] {
  const first = round % peers.length
  return [...peers.slice(first), ...peers.slice(0, first)]
}

async function runApart(
  redisUrl: string,
  { seconds, warmUpSeconds, messages }: BenchOptions,
  scenario: Scenario,
  peer: PeerName,
  execArgv: string[],
): Promise<TrialAnswer> {
  const child = forkTrial(execArgv)
  const timer = setTimeout(() => child.kill(), TRIAL_TIMEOUT_MS)
  try {
    return await child.ask({ redisUrl, seconds, warmUpSeconds, messages, scenario: scenario.name, peer })
  } finally {
    clearTimeout(timer)
    await child.stop()
  }
}
