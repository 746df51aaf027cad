// Brings a clean clone to the point where its programs run: dependencies installed, TypeScript built.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Installs and builds what is missing, and says so in one line each. Exits the process on failure. */
export function bootstrap() {
  process.chdir(root)
  const reason = whyInstall()
  if (reason)
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], `Installing dependencies (npm ci): ${reason}.`)
  run('node_modules/.bin/tsc', ['-b'])
}

/** Runs the program that a command is about, and gives its exit code, or 128 + the number of the signal that ended it. */
export function runToEnd(command, args, env = process.env) {
  const child = spawn(command, args, { stdio: 'inherit', env })
  // The child decides how to end, and we end after it. A terminal's Ctrl-C reaches it by itself.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

/** Optional packages of other platforms are in the lockfile but never installed here; whatever else is there must match. */
function whyInstall() {
  const wanted = packagesIn('package-lock.json')
  const installed = packagesIn('node_modules/.package-lock.json')
  if (!installed) return 'node_modules is missing'
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '') continue
    const found = installed[path]
    if (found ? found.version !== version : !optional) return `${path} does not match package-lock.json`
  }
}

function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(lockfile, 'utf8')).packages
  } catch {
    return undefined
  }
}

function run(command, args, announcement) {
  if (announcement) console.error(announcement)
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (error) console.error(`${command} could not be started: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}
