// `npm test`: everything that the tests need, then the tests. Arguments go to mocha.
import { bootstrap, runToEnd } from './bootstrap.mjs'

bootstrap()
const { describeRedis, findRedis } = await import('@busway/testing')
const found = await findRedis({ sources: ['path', 'cache', 'apt', 'docker'] }).catch(giveUp)
console.error(`Tests use private servers: ${describeRedis(found)}.`)
process.exit(await runToEnd('node_modules/.bin/mocha', process.argv.slice(2)))

function giveUp(error) {
  console.error(error.message)
  process.exit(1)
}
