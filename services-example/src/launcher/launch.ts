import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus } from '@busway/bus'
import { schema } from '@busway/plugin-schema'
import { balance } from '../accounting/books.js'
import { expectedOf } from '../accounting/expected.js'
import { loadAirports } from '../directory/airports.js'
import { loadFlights } from '../flights/vega-flights.js'
import type { Options } from '../options.js'
import { reportEveryMs } from '../reports/due.js'
import { topics } from '../topics.js'
import { Course } from './course.js'
import { Crew } from './crew.js'
import { Display } from './display.js'
import { newNamespace, removeNamespace } from './namespace.js'
import { reportOf } from './report.js'
import { longestTrace } from './trace.js'

const STOP_WITHIN_MS = 3_000

/**
 * Runs the example once and says what it came to. True if the books balance. Leaves nothing behind, in whatever way it
 * ends; only journals that do not balance stay, to be looked at. Rejects when a process dies by itself, and with the signal's reason.
 */
export async function launch(options: Options, redis: string, signal: AbortSignal): Promise<boolean> {
  const namespace = newNamespace()
  const expected = expectedOf(await loadFlights(options.flights), await loadAirports(), options.seed)
  const folder = await mkdtemp(join(tmpdir(), 'busway-example-'))
  const display = new Display(process.stdout, options.flights)
  const plugins = [schema()] as const
  const bus = createBus({ service: 'launcher', topics, redis, namespace, plugins, logger: { level: 'silent' } })
  const crew = new Crew(folder, {
    REDIS_URL: redis,
    BUSWAY_NAMESPACE: namespace,
    SEED: String(options.seed),
    FLIGHTS: String(options.flights),
    FEED_MS: String(options.feedMs),
    REPORT_EVERY_MS: String(reportEveryMs(options.feedMs)),
    DEPLOYMENT: options.deployment,
  })

  let started = false
  let keepFolder = false
  try {
    await bus.ready()
    started = true
    const { evidence, stalled } = await new Course({ options, expected, folder, crew, bus, display }, signal).run()
    const books = await balance(expected, evidence)
    display.end()
    const trace = options.deployment === 'production' ? await longestTrace(folder) : undefined
    if (trace !== undefined) console.log(['', 'One flight on its way through the services:', ...trace].join('\n'))
    console.log(reportOf(books, options.flights, stalled).join('\n'))
    keepFolder = books.faults.length > 0 || stalled !== undefined
    if (keepFolder) console.log(`The journals and logs are in ${folder}.`)
    return !keepFolder
  } finally {
    display.end()
    await crew.stop(STOP_WITHIN_MS)
    await bus.close()
    if (started) await removeNamespace(redis, namespace)
    if (!keepFolder) await rm(folder, { recursive: true, force: true })
  }
}
