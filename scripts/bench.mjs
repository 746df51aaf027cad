// `npm run bench`: the measurements, always on a server of their own. Arguments go to the bench.
import { bootstrap } from './bootstrap.mjs'
import { runWithRedis } from './run-with-redis.mjs'

bootstrap()
const sources = ['path', 'cache', 'apt', 'docker']
process.exit(await runWithRedis(['bench/dist/main.js', ...process.argv.slice(2)], { sources }))
