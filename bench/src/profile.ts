/** CPU profiles of a run's processes, and where their time went. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PeerName } from './peers/index.js'
import { RESULTS_DIR, type Results } from './results.js'
import type { Scenario } from './scenario.js'

const COSTLIEST = 30

/** A V8 CPU profile, as far as it is read. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  /** µs before each sample. */
  timeDeltas: number[]
}

export interface FunctionCost {
  /** Function, file and line. */
  where: string
  /** µs in the function itself. */
  selfUs: number
}

/** Options that make Node.js write a profile when it ends. An earlier one of the same trial is removed. */
export function profileArgs({ name }: Scenario, peer: PeerName): string[] {
  const dir = profileDir(name, peer)
  rmSync(dir, { recursive: true, force: true })
  return ['--cpu-prof', `--cpu-prof-dir=${fileURLToPath(dir)}`]
}

/** The costliest functions of each trial's processes; of the last round, warm-up included. */
export async function profileReport(results: Results): Promise<string> {
  const parts: string[] = []
  for (const { scenario, peer } of results.trials) {
    const dir = profileDir(scenario, peer as PeerName)
    for (const file of readdirSync(dir).sort()) {
      const profile = JSON.parse(readFileSync(new URL(file, dir), 'utf8')) as CpuProfile
      parts.push(`${scenario}, ${peer}, ${file}\n${table(selfCosts(profile))}`)
    }
  }
  return parts.join('\n\n')
}

/** Time by function, most first. */
export function selfCosts({ nodes, samples, timeDeltas }: CpuProfile): FunctionCost[] {
  const where = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]))
  const costs = new Map<string, number>()
  samples.forEach((node, i) => {
    const place = where.get(node) ?? '(unknown)'
    costs.set(place, (costs.get(place) ?? 0) + (timeDeltas[i] ?? 0))
  })
  return [...costs].map(([place, selfUs]) => ({ where: place, selfUs })).sort((a, b) => b.selfUs - a.selfUs)
}

function placeOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName || '(anonymous)'
  return url === ''
    ? name
    : `${name} ${url.replace(/^.*\/(?=node_modules\/|packages\/|lua\/|bench\/)/, '')}:${lineNumber + 1}`
}

function table(costs: readonly FunctionCost[]): string {
  const busy = costs.filter(({ where }) => where !== '(idle)' && where !== '(program)')
  const total = busy.reduce((sum, { selfUs }) => sum + selfUs, 0)
  return busy
    .slice(0, COSTLIEST)
    .map(({ where, selfUs }) => `  ${((100 * selfUs) / total).toFixed(1).padStart(5)} %  ${where}`)
    .join('\n')
}

function profileDir(scenario: string, peer: PeerName): URL {
  return new URL(`profiles/${scenario}-${peer}/`, RESULTS_DIR)
}
