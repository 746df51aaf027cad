/** `npm start`: runs the services on real flights, kills some of them, and says whether the books balance. */
import { launch } from './launcher/launch.js'
import { parseOptions, USAGE, UsageError } from './options.js'

const EXIT = { balanced: 0, failed: 1, usage: 2, interrupted: 130 }

process.exit(await main(process.argv.slice(2)))

async function main(args: string[]): Promise<number> {
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => interrupt.abort(new Error(`Interrupted by ${signal}.`)))
  try {
    const options = parseOptions(args)
    if (options === 'help') {
      console.log(USAGE)
      return EXIT.balanced
    }
    const redis = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
    return (await launch(options, redis, interrupt.signal)) ? EXIT.balanced : EXIT.failed
  } catch (error) {
    console.error((error as Error).message)
    if (error instanceof UsageError) {
      console.error(USAGE)
      return EXIT.usage
    }
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.failed
  }
}
