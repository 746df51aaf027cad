import type { Evidence, Expected } from '../accounting/evidence.js'
import { GatewayClient } from '../gateway/client.js'
import type { Options } from '../options.js'
import { readJournals } from '../records/read-journals.js'
import { reportsIn } from '../records/reports-in.js'
import type { Crew } from './crew.js'
import { deadFlights } from './dead-letters.js'
import type { Display } from './display.js'
import type { ServiceProcess } from './service-process.js'
import { isDrained, type LauncherBus, type Snapshot, Stalled, Watch } from './watch.js'

/** Two processes of each that may be killed, so that consumers compete and its messages have somewhere to go. */
const CONSUMERS = [
  'directory',
  'ledger',
  'ledger',
  'delays',
  'delays',
  'alerts',
  'alerts',
  'reports',
  'reports',
] as const
const STOP_WITHIN_MS = 10_000

/** Everything a run is made of. */
export interface Scene {
  readonly options: Options
  readonly expected: Expected
  /** The folder of the journals. */
  readonly folder: string
  readonly crew: Crew
  readonly bus: LauncherBus
  readonly display: Display
}

/** What a run came to. */
export interface Outcome {
  evidence: Evidence
  /** Why it did not come to its end, if so: its books will say what is missing. */
  stalled?: string
}

/**
 * One run:
 *
 * 1. the gateway and the consumers start;
 * 2. the feed publishes the flights, and while it does, processes are killed and replaced;
 * 3. everything is handled, but for what the gateway refuses for good: dead letters;
 * 4. the gateway is repaired and the dead letters are redriven;
 * 5. all processes end in an orderly way, and their journals are the evidence.
 */
export class Course {
  readonly #scene: Scene
  readonly #signal: AbortSignal
  #gatewayUrl = ''
  #deadLetters: number[] = []
  #redriven = 0

  /** `signal` interrupts it. */
  constructor(scene: Scene, signal: AbortSignal) {
    this.#scene = scene
    this.#signal = AbortSignal.any([signal, scene.crew.failure])
  }

  /** Rejects when a process ends by itself, and when it is interrupted. */
  async run(): Promise<Outcome> {
    const gateway = await this.#startGateway()
    const consumers = await this.#inTime(Promise.all(CONSUMERS.map((service) => this.#startConsumer(service))))
    this.#scene.display.note(`Processes: ${this.#scene.crew.describe()}.`)
    await this.#noteMetrics(consumers)
    const watch = this.#startFeed(gateway)
    let stalled: string | undefined
    try {
      await this.#killAndReplace(watch)
      await this.#handled(watch)
      await this.#redrive(watch, gateway)
    } catch (error) {
      if (!(error instanceof Stalled)) throw error
      stalled = error.message
    }
    const evidence = await this.#close(watch, gateway)
    return { evidence, ...(stalled && { stalled }) }
  }

  /** Of each process, while it runs. */
  async #noteMetrics(consumers: readonly ServiceProcess[]): Promise<void> {
    const served = await Promise.all(
      consumers.map(async ({ name, ready }) => {
        const { metrics } = await ready
        return metrics === undefined ? [] : [`  ${name.padEnd(11)}  ${metrics}`]
      }),
    )
    const lines = served.flat()
    if (lines.length > 0) this.#scene.display.note(['Metrics for Prometheus, while they run:', ...lines].join('\n'))
  }

  async #startGateway(): Promise<GatewayClient> {
    const { url = '' } = await this.#inTime(this.#scene.crew.start('gateway').ready)
    this.#gatewayUrl = url
    return new GatewayClient(url)
  }

  async #startConsumer(service: (typeof CONSUMERS)[number]): Promise<ServiceProcess> {
    const started = this.#scene.crew.start(service, { GATEWAY_URL: this.#gatewayUrl })
    await started.ready
    return started
  }

  #startFeed(gateway: GatewayClient): Watch {
    const { bus, crew, display, folder } = this.#scene
    const feed = crew.start('feed')
    return new Watch({
      bus,
      gateway,
      published: () => feed.published,
      reports: () => reportsIn(folder),
      show: (snapshot) => display.show(snapshot),
    })
  }

  async #killAndReplace(watch: Watch): Promise<void> {
    const { options, crew, display } = this.#scene
    for (const [i, service] of options.kill.entries()) {
      const share = (i + 1) / (options.kill.length + 1)
      const midRun = ({ published }: Snapshot) => published >= share * options.flights
      await watch.until(`${service} is to lose a process`, midRun, this.#signal)
      const { victim, unsettled } = await crew.killOne(service)
      const successor = await this.#inTime(this.#startConsumer(service))
      display.note(
        `Killed ${victim.name} (process ${victim.pid}, SIGKILL) with ${unsettled} runs unsettled; ${successor.name} took its place.`,
      )
    }
  }

  async #handled(watch: Watch): Promise<void> {
    const { options, expected } = this.#scene
    // What settles published is still on its way when the last of them has come: how many there will be is known beforehand.
    const handled = (now: Snapshot) =>
      now.published === options.flights &&
      isDrained(now) &&
      now.gateway.withdrawn + now.groups.alerts.dead >= expected.alerts.size
    await watch.until('everything is handled', handled, this.#signal)
  }

  async #redrive(watch: Watch, gateway: GatewayClient): Promise<void> {
    const { bus, display, expected } = this.#scene
    this.#deadLetters = await deadFlights(bus)
    await gateway.repair()
    this.#redriven = await bus.topic('airports.delayed').group('alerts').redrive('all')
    display.note(`${this.#deadLetters.length} dead letters: repaired the gateway and redrove ${this.#redriven}.`)
    const handled = (now: Snapshot) =>
      isDrained(now) && now.groups.alerts.dead === 0 && now.gateway.withdrawn >= expected.alerts.size
    await watch.until('the dead letters are handled', handled, this.#signal)
    await watch.until('all reports are assembled', ({ reports }) => reports >= expected.reports, this.#signal)
    display.note(`${expected.reports} reports, each assembled of the parts of ${expected.airports} airports.`)
  }

  async #close(watch: Watch, gateway: GatewayClient): Promise<Evidence> {
    const { crew, folder } = this.#scene
    const { groups: left } = await watch.look()
    const report = await gateway.report()
    const stuck = await this.#inTime(crew.stop(STOP_WITHIN_MS))
    if (stuck.length > 0)
      throw new Error(`${stuck.join(', ')} did not end within ${STOP_WITHIN_MS / 1000} s of being asked to.`)
    return {
      lines: readJournals(folder),
      killed: crew.killed,
      gateway: report,
      left,
      deadLetters: this.#deadLetters,
      redriven: this.#redriven,
    }
  }

  /** The promise, unless the run is over before. */
  #inTime<T>(promise: Promise<T>): Promise<T> {
    const signal = this.#signal
    const over = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return Promise.race([promise, over])
  }
}
