// `npm test`: everything that the tests need, then the tests. Arguments go to mocha: a file (all tests if none), `--grep` ...
import { bootstrap, runToEnd } from './bootstrap.mjs'

bootstrap()
const { describeRedis, findRedis } = await import('@busway/testing')
const found = await findRedis({ sources: ['path', 'cache', 'apt', 'docker'] }).catch(giveUp)
console.error(`Tests use private servers: ${describeRedis(found)}.`)
// What apt fetched is in the cache now: no test need fetch it again.
if (found.source === 'apt') process.env.BUSWAY_REDIS_SOURCE = 'cache'
const args = process.argv.slice(2)
if (!args.some((arg) => arg.endsWith('.ts'))) args.push('test/**/*.test.ts')
// Not node_modules/.bin/mocha: that starts this program with the options of .mocharc for Node, and passes no SIGTERM on.
process.exit(await runToEnd(process.execPath, ['--import=tsx', 'node_modules/mocha/lib/cli/cli.js', ...args]))

function giveUp(error) {
  console.error(error.message)
  process.exit(1)
}
