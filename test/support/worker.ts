/** A consumer in a process of its own, to be killed, stopped and continued. */
import { type ChildProcess, fork } from 'node:child_process'
import { deadline } from './deadline.js'
import { Received } from './received.js'
import type { Command, Report, WorkerSetup } from './worker-protocol.js'

export class Worker {
  readonly reports = new Received<Report>()
  readonly #process: ChildProcess
  readonly #ended: Promise<void>

  constructor(process: ChildProcess) {
    this.#process = process
    process.on('message', (report: Report) => this.reports.add(report))
    this.#ended = new Promise((resolve) => process.once('exit', () => resolve()))
  }

  get pid(): number {
    return this.#process.pid as number
  }
  /** Resolves when the process is gone, for whatever reason. */
  get ended(): Promise<void> {
    return deadline(this.#ended, undefined, () => 'the end of a worker')
  }
  /** The same without a bound. */
  get exited(): Promise<void> {
    return this.#ended
  }
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  tell(command: Command): void {
    this.#process.send(command)
  }

  /** Reports of one kind, so far. */
  of<E extends Report['event']>(event: E): Extract<Report, { event: E }>[] {
    return this.reports.items.filter((report): report is Extract<Report, { event: E }> => report.event === event)
  }

  /** Resolves with the first `count` reports of a kind. */
  async until<E extends Report['event']>(
    event: E,
    count = 1,
    withinMs?: number,
  ): Promise<Extract<Report, { event: E }>[]> {
    await this.reports.until(() => this.of(event).length >= count, `${count} times '${event}' from a worker`, withinMs)
    return this.of(event)
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.running) process.kill(this.pid, 'SIGKILL')
    await this.ended
  }
  stop(): void {
    process.kill(this.pid, 'SIGSTOP')
  }
  continue(): void {
    process.kill(this.pid, 'SIGCONT')
  }
}

/** Resolves when the worker's subscription is ready, or when it is gone: what it handles first may kill it before it has said so. */
export async function startWorker(setup: WorkerSetup): Promise<Worker> {
  const child = fork(new URL('./worker-program.ts', import.meta.url), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, BUSWAY_TEST_WORKER: JSON.stringify(setup) },
  })
  const worker = new Worker(child)
  try {
    const ready = worker.reports.until(
      (reports) => reports.some(({ event }) => event !== 'started'),
      'a worker to be ready',
      30_000,
    )
    await Promise.race([ready, worker.exited])
    ready.catch(() => undefined)
    const failed = worker.of('failed')[0]
    if (failed) throw new Error(`a worker failed: ${failed.error}`)
  } catch (error) {
    await worker.kill()
    throw error
  }
  return worker
}
