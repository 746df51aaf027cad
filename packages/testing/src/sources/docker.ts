import { lastLine, run } from '../run.js'
import { parseServerVersion } from '../version.js'
import { which } from './path.js'
import type { Finder } from './source.js'

const DEFAULT_IMAGE = 'redis:8-alpine'
const PULL_TIMEOUT_MS = 300_000

/** The image `BUSWAY_REDIS_IMAGE`, or Redis 8, where docker has an engine; pulls it if need be. */
export const findWithDocker: Finder = async (env) => {
  const command = await which('docker', env)
  if (!command) return { reason: 'docker is not on PATH' }
  const engine = await run(command, ['version', '--format', '{{.Server.Version}}'], { env })
  if (engine.code !== 0) return { reason: `docker is installed, but no engine answers (${lastLine(engine)})` }
  const image = env.BUSWAY_REDIS_IMAGE || DEFAULT_IMAGE
  const asked = await run(command, ['run', '--rm', image, 'redis-server', '--version'], {
    env,
    timeoutMs: PULL_TIMEOUT_MS,
  })
  const found = parseServerVersion(asked.stdout)
  return found
    ? { source: 'docker', command, image, ...found }
    : { reason: `docker cannot run ${image} (${lastLine(asked)})` }
}
