import { spawn } from 'node:child_process'
import { bootstrap } from './bootstrap.mjs'

await bootstrap()
const mocha = spawn('node_modules/.bin/mocha', process.argv.slice(2), { stdio: 'inherit' })
mocha.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
