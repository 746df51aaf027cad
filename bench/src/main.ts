/** `npm run bench`: options, rounds, report, results. Its Redis, at `REDIS_URL`, is started by scripts/bench.mjs. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { BODY_BYTES } from './body.js'
import { writeDocs } from './docs.js'
import { describeEnvironment } from './environment.js'
import { type BenchOptions, parseOptions, USAGE } from './options.js'
import { USUAL_PEERS } from './peers/index.js'
import { profileArgs, profileReport } from './profile.js'
import { report, trialLine } from './report.js'
import { keepQuoted, type Results, readLastFullResults, readResults, writeResults } from './results.js'
import { type Failure, runRounds, type Trial } from './rounds.js'
import { SCENARIOS } from './scenarios/index.js'
import { startServers, whoCanTakePart } from './servers/index.js'

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  return 1
})

async function main(args: readonly string[]): Promise<number> {
  const order = parseOptions(args)
  switch (order.kind) {
    case 'help':
      console.log(USAGE)
      return 0
    case 'write-docs': {
      const results = order.run
        ? await readResults(pathToFileURL(order.run))
        : await readLastFullResults(SCENARIOS.length, USUAL_PEERS.length)
      await writeDocs(results)
      await keepQuoted(results)
      return 0
    }
    case 'measure': {
      const { peers, missing } = await whoCanTakePart(order.options.peers)
      for (const line of missing) console.error(line)
      if (peers.length === 0) throw new Error('Nobody is left to be measured.')
      const results = await measureAll({ ...order.options, peers })
      const file = await writeResults(results)
      console.log(`\n${report(results)}\n\nWritten to ${fileURLToPath(file)}`)
      if (order.options.profile) console.log(`\n${await profileReport(results)}`)
      for (const { scenario, peer, round, error } of results.failures)
        console.error(`\nround ${round + 1}, ${scenario}, ${peer} failed: ${error}`)
      return results.failures.length === 0 ? 0 : 1
    }
  }
}

async function measureAll(options: BenchOptions): Promise<Results> {
  const url = process.env.REDIS_URL
  if (!url) throw new Error('REDIS_URL is not set. Run `npm run bench`, which starts a Redis for the measurements.')
  const servers = await startServers(options.peers)
  const redis = new Redis(url)
  try {
    await refuseForeignData(redis)
    console.error(plan(options))
    const environment = await describeEnvironment(redis)
    const trials: Trial[] = []
    const failures: Failure[] = []
    const events = {
      measured(trial: Trial) {
        trials.push(trial)
        console.error(trialLine(trial))
      },
      failed(failure: Failure) {
        failures.push(failure)
        console.error(`round ${failure.round + 1}  ${failure.scenario} ${failure.peer} FAILED`)
      },
    }
    await runRounds(redis, url, options, events, options.profile ? profileArgs : () => [])
    return {
      format: 1,
      environment,
      rounds: options.rounds,
      seconds: options.seconds,
      messages: options.messages ?? null,
      bodyBytes: BODY_BYTES,
      quick: options.quick,
      peers: options.peers.map((name) => ({
        name,
        version: trials.find((trial) => trial.peer === name)?.version ?? 'unknown',
      })),
      scenarios: options.scenarios.map(({ name, title, metrics }) => ({ name, title, metrics })),
      trials,
      failures,
    }
  } finally {
    redis.disconnect()
    await servers.stop()
  }
}

/** Every measurement starts on an empty server, so what is there would be lost. */
async function refuseForeignData(redis: Redis): Promise<void> {
  const keys = await redis.dbsize()
  if (keys > 0)
    throw new Error(`The Redis at REDIS_URL has ${keys} keys. The bench deletes everything: give it an empty one.`)
}

function plan({ rounds, scenarios, peers, seconds, warmUpSeconds, messages }: BenchOptions): string {
  const trials = rounds * scenarios.length * peers.length
  const each = messages === undefined ? `${seconds} s` : `${messages} messages`
  return `${trials} measurements of ${each}, each after ${warmUpSeconds} s of warm-up.`
}
