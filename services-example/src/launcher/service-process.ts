import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceEnvironment } from '../settings.js'
import type { Told } from './link.js'

/** The programs in services/. */
export type ServiceName = 'feed' | 'ledger' | 'delays' | 'alerts' | 'directory' | 'reports' | 'gateway'

/** How a process ended. */
export interface End {
  code: number | null
  signal: NodeJS.Signals | null
}

/** One process of a service. */
export class ServiceProcess {
  readonly service: ServiceName
  /** Unique in a run: `ledger-1`. */
  readonly name: string
  /** Its standard output and error. */
  readonly logFile: string
  /** Resolves with what it said when it was ready. */
  readonly ready: Promise<Extract<Told, { kind: 'ready' }>>
  readonly ended: Promise<End>
  /** What it last said it had published. */
  published = 0
  /** Its end is no surprise. */
  expectedToEnd = false
  readonly #child: ChildProcess
  #over = false

  constructor(service: ServiceName, name: string, folder: string, env: ServiceEnvironment) {
    this.service = service
    this.name = name
    this.logFile = join(folder, `${name}.log`)
    const log = openSync(this.logFile, 'a')
    this.#child = spawn(
      process.execPath,
      [...preloaded(env), fileURLToPath(new URL(`../services/${service}.js`, import.meta.url))],
      {
        stdio: ['ignore', log, log, 'ipc'],
        env: { ...process.env, ...env, PROCESS_NAME: name, RUN_FOLDER: folder },
      },
    )
    closeSync(log)
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (told: Told) => {
        if (told.kind === 'ready') resolve(told)
        else this.published = told.count
      })
    })
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#over = true
        resolve({ code, signal })
      }
      this.#child.once('exit', end)
      this.#child.once('error', () => end(null, null))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get over(): boolean {
    return this.#over
  }

  /** SIGSTOP: it goes no further until `resume` or `kill`. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGKILL: it gets no chance to finish or give back anything. */
  async kill(): Promise<void> {
    this.expectedToEnd = true
    this.#child.kill('SIGKILL')
    await this.ended
  }

  /** Asks it to finish what it runs and end; kills it if that takes longer than `withinMs`. False if it had to be killed. */
  async stop(withinMs: number): Promise<boolean> {
    this.expectedToEnd = true
    if (this.#over) return true
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), withinMs)
    const { signal } = await this.ended
    clearTimeout(timer)
    return signal !== 'SIGKILL'
  }
}

/** In production OpenTelemetry's SDK is there before the service is, as its users start it. */
const preloaded = ({ DEPLOYMENT }: ServiceEnvironment): string[] =>
  DEPLOYMENT === 'production' ? ['--import', new URL('../telemetry/start.js', import.meta.url).href] : []
