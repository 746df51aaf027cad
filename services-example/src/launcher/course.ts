import type { Evidence, Expected, Group } from '../accounting/evidence.js'
import { GatewayClient } from '../gateway/client.js'
import type { GatewayReport } from '../gateway/desk.js'
import type { Options } from '../options.js'
import { readJournals } from '../records/read-journals.js'
import type { Crew } from './crew.js'
import { deadFlights } from './dead-letters.js'
import type { Display } from './display.js'
import { isDrained, type LauncherBus, type Snapshot, Stalled, Watch } from './watch.js'

/** Two of each, so that consumers compete and a killed one's messages have somewhere to go. */
const PROCESSES_EACH = 2
const STOP_WITHIN_MS = 10_000

/** What a run came to, and what cut it short. */
export interface Course {
  evidence: Evidence
  /** Why not everything came about, if so. */
  stalled?: string
}

/** Everything a run is made of. */
export interface Scene {
  options: Options
  expected: Expected
  folder: string
  crew: Crew
  bus: LauncherBus
  display: Display
}

/**
 * One run:
 *
 * 1. the gateway and two processes of each consumer start;
 * 2. the feed publishes the flights;
 * 3. while it does, processes are killed and replaced;
 * 4. everything is handled, but for what the gateway refuses for good: dead letters;
 * 5. the gateway is repaired and the dead letters redriven;
 * 6. all processes end in an orderly way, and their journals are the evidence.
 *
 * A run that stalls goes on to 6: its books will say what is missing. Rejects when a process dies by itself, and with `signal`'s reason.
 */
export async function runCourse(
  { options, expected, folder, crew, bus, display }: Scene,
  signal: AbortSignal,
): Promise<Course> {
  const ended = AbortSignal.any([signal, crew.failure])
  const inTime = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, rejection(ended)])

  const { url = '' } = await inTime(crew.start('gateway').ready)
  const gateway = new GatewayClient(url)
  const startConsumer = (service: Group) => crew.start(service, { GATEWAY_URL: url }).ready
  await inTime(
    Promise.all(
      (['ledger', 'delays', 'alerts'] as const).flatMap((service) =>
        Array.from({ length: PROCESSES_EACH }, () => startConsumer(service)),
      ),
    ),
  )
  const feed = crew.start('feed')
  const watch = new Watch(
    bus,
    gateway,
    () => feed.published,
    (snapshot) => display.show(snapshot),
  )

  let deadLetters: number[] = []
  let redriven = 0
  let stalled: string | undefined
  try {
    for (const [i, service] of options.kill.entries()) {
      const share = (i + 1) / (options.kill.length + 1)
      await watch.until(`${service} loses a process`, ({ published }) => published >= share * options.flights, ended)
      const victim = await crew.killOne(service)
      display.note(
        `${victim.name} (process ${victim.pid}) killed with SIGKILL while it ran ${victim.running}; another takes its place.`,
      )
      await inTime(startConsumer(service))
    }

    const alerted = ({ gateway, groups }: Snapshot) => gateway.accepted + groups.alerts.dead
    await watch.until(
      'all is handled',
      (now) => now.published === options.flights && isDrained(now) && alerted(now) >= expected.alerts.size,
      ended,
    )

    deadLetters = await deadFlights(bus)
    await gateway.repair()
    redriven = await bus.topic('airports.delayed').group('alerts').redrive('all')
    display.note(`${deadLetters.length} dead letters; the gateway is repaired, ${redriven} redriven.`)
    await watch.until('the dead letters are handled', (now) => isDrained(now) && now.groups.alerts.dead === 0, ended)
  } catch (error) {
    if (!(error instanceof Stalled)) throw error
    stalled = error.message
  }

  const { groups: left } = await watch.look()
  const report: GatewayReport = await gateway.report()
  const stuck = await crew.stop(STOP_WITHIN_MS)
  if (stuck.length > 0)
    throw new Error(`${stuck.join(', ')} did not end within ${STOP_WITHIN_MS / 1000} s of being asked to.`)
  const evidence = { lines: readJournals(folder), killed: crew.killed, gateway: report, left, deadLetters, redriven }
  return { evidence, ...(stalled && { stalled }) }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
