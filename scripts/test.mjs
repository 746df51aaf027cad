// `npm test`: everything that the tests need, then the tests. Arguments go to mocha: a file (all tests if none), `--grep` ...
import { bootstrap, runToEnd } from './bootstrap.mjs'

bootstrap()
const { describeRedis, findRedis } = await import('@busway/testing')
const found = await findRedis({ sources: ['path', 'cache', 'apt', 'docker'] }).catch(giveUp)
console.error(`Tests use private servers: ${describeRedis(found)}.`)
const args = process.argv.slice(2)
if (!args.some((arg) => arg.endsWith('.ts'))) args.push('test/**/*.test.ts')
process.exit(await runToEnd('node_modules/.bin/mocha', args))

function giveUp(error) {
  console.error(error.message)
  process.exit(1)
}
