import { parseArgs } from 'node:util'
import { MOST_FLIGHTS } from './flights/vega-flights.js'

/** Services of which a process can be killed: others take its place. */
const victims = ['ledger', 'delays', 'alerts', 'reports'] as const
export type Victim = (typeof victims)[number]

/** The files in deployments/. */
const deployments = ['development', 'production'] as const
export type Deployment = (typeof deployments)[number]

/** What a run is asked to do. */
export interface Options {
  flights: number
  /** Decides which notifications the gateway refuses. */
  seed: number
  /** Over what time the feed spreads the flights; 0 is as fast as it can. */
  feedMs: number
  /** Of these services a process is killed, one after the other, while flights depart. */
  kill: Victim[]
  /** How the services are equipped. */
  deployment: Deployment
}

export const USAGE = `Usage: npm start -- [options]
  --flights <n>    how many flights depart, such as 500, 2k or 200k (default 2k, at most 200k)
  --seed <n>       decides which notifications the gateway refuses (default 7)
  --seconds <n>    over what time the flights depart; 0: as fast as possible (default 8)
  --kill <list>    services of which a process is killed in mid-run, in this order, of ledger,
                   delays, alerts, reports; or none (default ledger,reports,delays)
  --deployment <n> how the services are equipped: development, which adds nothing to their code, or
                   production, with all plugins (default production)`

/** A wrong argument. Its message says which, and what it should be. */
export class UsageError extends Error {}

/** Throws a UsageError. */
export function parseOptions(args: string[]): Options | 'help' {
  const { help, flights, seed, seconds, kill, deployment } = parse(args)
  if (help) return 'help'
  return {
    flights: flightsIn(flights),
    seed: numberIn('--seed', seed),
    feedMs: numberIn('--seconds', seconds) * 1000,
    kill: kill === 'none' ? [] : kill.split(',').map(victimIn),
    deployment: deploymentIn(deployment),
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        flights: { type: 'string', default: '2k' },
        seed: { type: 'string', default: '7' },
        seconds: { type: 'string', default: '8' },
        kill: { type: 'string', default: 'ledger,reports,delays' },
        deployment: { type: 'string', default: 'production' },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function flightsIn(text: string): number {
  const [, digits, thousands] = /^(\d+)(k?)$/.exec(text) ?? []
  const flights = Number(digits) * (thousands ? 1000 : 1)
  if (flights >= 1 && flights <= MOST_FLIGHTS) return flights
  throw new UsageError(`--flights is ${text}, and must be a number from 1 to 200k.`)
}

function numberIn(option: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new UsageError(`${option} is ${text}, and must be a number, 0 or more.`)
}

function victimIn(text: string): Victim {
  const victim = victims.find((name) => name === text)
  if (victim) return victim
  throw new UsageError(`--kill names ${text}, and must be a list of ${victims.join(', ')}, or none.`)
}

function deploymentIn(text: string): Deployment {
  const deployment = deployments.find((name) => name === text)
  if (deployment) return deployment
  throw new UsageError(`--deployment is ${text}, and must be ${deployments.join(' or ')}.`)
}
