/** A publisher in a process of its own, which says of each publish how it ended. */
import { type ChildProcess, fork } from 'node:child_process'
import type { BusOptions, Durability } from '@busway/bus'
import { deadline } from './deadline.js'
import { Received } from './received.js'

export interface PublisherSetup {
  readonly redis: NonNullable<BusOptions['redis']>
  readonly namespace: string
  readonly topics: readonly string[]
  /** Of each topic. */
  readonly partitions?: number
  /** How many ordering keys the messages have, in turn. */
  readonly keys?: number
  readonly durability?: Durability
  /** Publishes under way to each topic. */
  readonly atOnce?: number
  readonly pauseMs?: number
}

export type PublisherReport =
  | { readonly event: 'published'; readonly topic: string; readonly n: number }
  | { readonly event: 'failed'; readonly topic: string; readonly n: number; readonly code: string }
  | { readonly event: 'rolled back'; readonly topic: string }
  | { readonly event: 'stopped' }

export class Publisher {
  readonly reports = new Received<PublisherReport>()
  readonly #process: ChildProcess

  constructor(setup: PublisherSetup) {
    this.#process = fork(new URL('./publisher-program.ts', import.meta.url), {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, BUSWAY_TEST_PUBLISHER: JSON.stringify(setup) },
    })
    this.#process.on('message', (report: PublisherReport) => this.reports.add(report))
  }

  of<E extends PublisherReport['event']>(event: E): Extract<PublisherReport, { event: E }>[] {
    return this.reports.items.filter(
      (report): report is Extract<PublisherReport, { event: E }> => report.event === event,
    )
  }

  /** Resolves when `count` more publishes were confirmed than now. */
  async confirms(count: number, withinMs?: number): Promise<void> {
    const goal = this.of('published').length + count
    await this.reports.until(() => this.of('published').length >= goal, `${count} more confirmed publishes`, withinMs)
  }

  /** Ends it when all that is under way has been answered. */
  async stop(): Promise<void> {
    const exited = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.send('stop')
    await deadline(exited, 30_000, () => 'the end of a publisher')
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}
