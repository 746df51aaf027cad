/** `npm start`: runs the services on real flights, kills some of them, and says whether the books balance. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus } from '@busway/bus'
import { balance } from './accounting/books.js'
import { expectedOf } from './accounting/expected.js'
import { loadFlights } from './flights/vega-flights.js'
import { runCourse } from './launcher/course.js'
import { Crew } from './launcher/crew.js'
import { Display } from './launcher/display.js'
import { newNamespace, removeNamespace } from './launcher/namespace.js'
import { tableOf } from './launcher/table.js'
import { type Options, parseOptions, USAGE, UsageError } from './options.js'
import { topics } from './topics.js'

const EXIT = { balanced: 0, failed: 1, usage: 2, interrupted: 130 }
const STOP_AFTER_FAILURE_WITHIN_MS = 3_000

process.exit(await main(process.argv.slice(2)))

async function main(args: string[]): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options !== 'help') return await run(options)
    console.log(USAGE)
    return EXIT.balanced
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n${USAGE}`)
    return EXIT.usage
  }
}

async function run(options: Options): Promise<number> {
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => interrupt.abort(new Error(`Interrupted by ${signal}.`)))

  const redis = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
  const namespace = newNamespace()
  const folder = await mkdtemp(join(tmpdir(), 'busway-example-'))
  const expected = expectedOf(await loadFlights(options.flights), options.seed)
  const display = new Display(process.stdout, options.flights)
  const bus = createBus({ service: 'launcher', topics, redis, namespace, logger: { level: 'silent' } })
  const crew = new Crew(folder, {
    BUSWAY_NAMESPACE: namespace,
    SEED: String(options.seed),
    FLIGHTS: String(options.flights),
    FEED_MS: String(options.feedMs),
  })

  let keepFolder = false
  try {
    await bus.ready()
    const { evidence, stalled } = await runCourse({ options, expected, folder, crew, bus, display }, interrupt.signal)
    display.end()
    const { rows, faults } = await balance(expected, evidence)
    console.log(['', ...tableOf(rows), ''].join('\n'))
    if (faults.length === 0 && !stalled) {
      console.log(`The books balance: ${options.flights} flights, each accounted for once.`)
      return EXIT.balanced
    }
    keepFolder = true
    console.log('The books do not balance:')
    for (const text of [stalled, ...faults.map((fault) => fault.text)]) if (text) console.log(`  ${text}`)
    console.log(`Journals and logs are in ${folder}.`)
    return EXIT.failed
  } catch (error) {
    display.end()
    console.error((error as Error).message)
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.failed
  } finally {
    await crew.stop(STOP_AFTER_FAILURE_WITHIN_MS)
    await bus.close()
    await removeNamespace(redis, namespace)
    if (!keepFolder) await rm(folder, { recursive: true })
  }
}
