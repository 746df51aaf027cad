// `npm run test:chaos -- --seed 7 --minutes 5 [--fault kill]`: see docs/faults.md.
import { bootstrap, runToEnd } from './bootstrap.mjs'

bootstrap()
const args = process.argv.slice(2)
process.exit(await runToEnd(process.execPath, ['--import=tsx', 'test/chaos/main.ts', ...args]))
