/** A run on disk: bench/results/<time>.json, and quoted.json, the one that the docs quote. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { writeCharts } from './charts/index.js'
import type { Environment } from './environment.js'
import type { MetricName } from './metrics.js'
import type { Failure, Trial } from './rounds.js'

export interface Results {
  format: 1
  environment: Environment
  rounds: number
  /** How long a measurement was meant to take, unless `messages` was given. */
  seconds: number
  messages: number | null
  bodyBytes: number
  /** Too short to be quoted. */
  quick: boolean
  peers: { name: string; version: string }[]
  scenarios: { name: string; title: string; metrics: readonly MetricName[] }[]
  trials: Trial[]
  failures: Failure[]
}

/** bench/results, the same from the sources and from what is built of them. */
export const RESULTS_DIR = new URL('../results/', import.meta.url)

/** Writes the run and, into a folder of the same name, its charts. Gives the run's file. */
export async function writeResults(results: Results): Promise<URL> {
  const name = `${results.environment.date.slice(0, 19).replaceAll(':', '')}${results.quick ? '-quick' : ''}.json`
  const file = new URL(name, RESULTS_DIR)
  await mkdir(RESULTS_DIR, { recursive: true })
  await write(file, results)
  await writeCharts(new URL(`${name.slice(0, -'.json'.length)}/`, RESULTS_DIR), results)
  return file
}

/** Keeps the run that the docs quote, so that its every figure can be looked up. */
export async function keepQuoted(results: Results): Promise<void> {
  await write(new URL('quoted.json', RESULTS_DIR), results)
}

/** A run that somebody names, whatever it is worth. */
export async function readResults(file: URL): Promise<Results> {
  return JSON.parse(await readFile(file, 'utf8')) as Results
}

/** The newest run that may be quoted: not a quick one, with all scenarios and at least so many peers. */
export async function readLastFullResults(scenarios: number, peers: number): Promise<Results> {
  const names = await readdir(RESULTS_DIR).catch(() => [])
  for (const name of names
    .filter((each) => /^\d.*\.json$/.test(each))
    .sort()
    .reverse()) {
    const results = await readResults(new URL(name, RESULTS_DIR))
    const isFull = results.scenarios.length === scenarios && results.peers.length >= peers
    if (!results.quick && isFull && results.failures.length === 0) return results
  }
  throw new Error('There is no full run in bench/results yet. Run `npm run bench` first.')
}

async function write(file: URL, results: Results): Promise<void> {
  await writeFile(file, `${JSON.stringify(results, null, 1)}\n`)
}
