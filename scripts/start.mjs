// `npm start`: everything that the example needs, then the example. Arguments go to the example.
import { bootstrap } from './bootstrap.mjs'
import { runWithRedis } from './run-with-redis.mjs'

bootstrap()
process.exit(await runWithRedis(['services-example/dist/main.js', ...process.argv.slice(2)]))
