// `npm run bench:scaling`: what a message costs each master of a cluster, on clusters of its own. Arguments go to it.
import { bootstrap, runToEnd } from './bootstrap.mjs'

bootstrap()
process.exit(await runToEnd(process.execPath, ['bench/dist/scaling/main.js', ...process.argv.slice(2)]))
