import { readOsRelease } from './sources/cache.js'
import type { SkippedSource } from './sources/source.js'

/** No source had a Redis. The message says why for each, and what to run on this system. */
export class RedisNotFoundError extends Error {
  readonly code = 'REDIS_NOT_FOUND'
  /** Every source that was tried. */
  readonly skipped: SkippedSource[]

  constructor(skipped: SkippedSource[], installLine: string) {
    const reasons = skipped.map(({ source, reason }) => `\n  ${source}: ${reason}.`).join('')
    super(`No Redis was found.${reasons}\nInstall one with:\n  ${installLine}`)
    this.name = 'RedisNotFoundError'
    this.skipped = skipped
  }
}

const INSTALL_LINES: Record<string, string> = {
  debian: 'sudo apt-get update && sudo apt-get install -y redis-server',
  fedora: 'sudo dnf install -y valkey',
  rhel: 'sudo dnf install -y valkey',
  arch: 'sudo pacman -S valkey',
  alpine: 'sudo apk add redis',
  suse: 'sudo zypper install redis',
  darwin: 'brew install redis',
}
const ANYWHERE = 'docker run --rm -d -p 127.0.0.1:6379:6379 redis && export REDIS_URL=redis://127.0.0.1:6379'

/** The exact line that installs Redis on this system. */
export async function installLine(platform: string = process.platform): Promise<string> {
  const { ID = '', ID_LIKE = '' } = platform === 'linux' ? await readOsRelease() : { ID: platform }
  const known = [ID, ...ID_LIKE.split(' ')].find((id) => id in INSTALL_LINES)
  return known ? (INSTALL_LINES[known] as string) : ANYWHERE
}
