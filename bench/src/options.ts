import { parseArgs } from 'node:util'
import { PEER_NAMES, type PeerName, USUAL_PEERS } from './peers/index.js'
import type { Scenario } from './scenario.js'
import { SCENARIOS } from './scenarios/index.js'

export const USAGE = `Usage: npm run bench -- [options]

  --rounds <n>       measured rounds, each peer first in turn (5)
  --seconds <n>      how long a measurement takes (2)
  --messages <n>     messages of a measurement, instead of --seconds
  --only <names>     scenarios, by the beginning of their names: publish,consume
  --peers <names>    peers: ${PEER_NAMES.join(',')}
  --all              beside those on Redis the peers that have a server of their own, where it is installed
  --quick            one short round of everything, in a few minutes, to see that it works
  --profile          writes a CPU profile of every process and prints the costliest functions
  --write-docs       writes the last full run into docs/performance.md and docs/charts, and measures nothing
  --run <file>       the run that --write-docs writes, instead of the last full one

Scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}`

export interface BenchOptions {
  rounds: number
  seconds: number
  warmUpSeconds: number
  messages: number | undefined
  scenarios: readonly Scenario[]
  peers: readonly PeerName[]
  /** Too short to be quoted. */
  quick: boolean
  profile: boolean
}

export type Order =
  | { kind: 'measure'; options: BenchOptions }
  | { kind: 'write-docs'; run: string | undefined }
  | { kind: 'help' }

/** What a command line asks for. Throws an Error that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Order {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      messages: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      all: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      run: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return { kind: 'help' }
  if (values['write-docs']) return { kind: 'write-docs', run: values.run }
  const { quick, profile } = values
  const options: BenchOptions = {
    rounds: positive('rounds', values.rounds, quick || profile ? 1 : 5, Number.isInteger),
    seconds: positive('seconds', values.seconds, quick ? 0.4 : 2),
    warmUpSeconds: quick ? 0.3 : 1,
    messages: values.messages === undefined ? undefined : positive('messages', values.messages, 0, Number.isInteger),
    scenarios: chosen(
      'only',
      values.only,
      quick ? SCENARIOS.filter(({ name }) => name !== 'backlog-1m') : SCENARIOS,
      ({ name }, wanted) => name.startsWith(wanted),
    ),
    peers:
      values.peers === undefined && !values.all
        ? USUAL_PEERS
        : chosen('peers', values.peers, PEER_NAMES, (name, wanted) => name === wanted),
    quick,
    profile,
  }
  return { kind: 'measure', options }
}

function positive(name: string, text: string | undefined, fallback: number, accepts = Number.isFinite): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!accepts(value) || value <= 0) throw new Error(`--${name} must be a number above 0, and is ${text}.`)
  return value
}

function chosen<T>(
  option: string,
  text: string | undefined,
  all: readonly T[],
  matches: (one: T, wanted: string) => boolean,
): readonly T[] {
  if (text === undefined) return all
  const wanted = text.split(',').filter((name) => name !== '')
  for (const name of wanted) {
    if (!all.some((one) => matches(one, name))) throw new Error(`--${option}: there is no ${name}.`)
  }
  return all.filter((one) => wanted.some((name) => matches(one, name)))
}
