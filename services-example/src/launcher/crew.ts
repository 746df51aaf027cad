import { readFile } from 'node:fs/promises'
import pretty from 'pino-pretty'
import type { ServiceEnvironment } from '../settings.js'
import { killInMidRun } from './kill-in-mid-run.js'
import { type ServiceName, ServiceProcess } from './service-process.js'

const LAST_LINES = 50

/** All processes of a run. */
export class Crew {
  readonly #folder: string
  readonly #env: ServiceEnvironment
  readonly #processes: ServiceProcess[] = []
  readonly #failure = new AbortController()
  /** The names of those that were killed. */
  readonly killed = new Set<string>()

  constructor(folder: string, env: ServiceEnvironment) {
    this.#folder = folder
    this.#env = env
  }

  /** Aborted, with the reason, when a process ended that should not have. */
  get failure(): AbortSignal {
    return this.#failure.signal
  }

  /** Starts one more process of a service. */
  start(service: ServiceName, env: ServiceEnvironment = {}): ServiceProcess {
    const number = this.#processes.filter((process) => process.service === service).length + 1
    const started = new ServiceProcess(service, `${service}-${number}`, this.#folder, { ...this.#env, ...env })
    this.#processes.push(started)
    started.ended.then(async ({ code, signal }) => {
      const finished = service === 'feed' && code === 0
      if (started.expectedToEnd || finished) return
      const how = signal
        ? `was ended by ${signal}`
        : code === null
          ? 'could not be started'
          : `ended with exit code ${code}`
      this.#failure.abort(new Error(`${started.name} ${how}.\n${await lastLines(started.logFile)}`))
    })
    return started
  }

  /** `gateway-1 (4711), ledger-1 (4712)`. */
  describe(): string {
    return this.#processes.map(({ name, pid }) => `${name} (${pid})`).join(', ')
  }

  /** Kills a process of the service with SIGKILL, in the middle of its work. */
  async killOne(service: ServiceName): Promise<{ victim: ServiceProcess; unsettled: number }> {
    const victim = this.#processes.find((process) => process.service === service && !process.over)
    if (!victim) throw new Error(`No process of ${service} is left to be killed.`)
    this.killed.add(victim.name)
    return { victim, unsettled: await killInMidRun(victim, this.#folder) }
  }

  /** Ends all of them; those that take longer than `withinMs` are killed. Gives the names of those. */
  async stop(withinMs: number): Promise<string[]> {
    const stopped = await Promise.all(
      this.#processes.map(async (process) => ((await process.stop(withinMs)) ? [] : [process.name])),
    )
    return stopped.flat().filter((name) => !this.killed.has(name))
  }
}

/** The end of a log, for people. */
async function lastLines(logFile: string): Promise<string> {
  const readable = pretty.prettyFactory({ colorize: false })
  const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-LAST_LINES)
  return lines.map((line) => (line.startsWith('{') ? readable(line) : `${line}\n`)).join('')
}
