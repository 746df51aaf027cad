import { access, constants } from 'node:fs/promises'
import { delimiter, resolve } from 'node:path'
import { lastLine, run } from '../run.js'
import { isNewEnough, MINIMUM_VERSION, parseServerVersion } from '../version.js'
import type { Finder } from './source.js'

/** `redis-server` or `valkey-server`, whichever is installed and new enough. */
export const findOnPath: Finder = async (env) => {
  const reasons: string[] = []
  for (const name of ['redis-server', 'valkey-server']) {
    const command = await which(name, env)
    if (!command) continue
    const checked = await checkServer(command, env)
    if ('version' in checked) return { source: 'path', command, ...checked }
    reasons.push(checked.reason)
  }
  return { reason: reasons.join('; ') || 'neither redis-server nor valkey-server is on PATH' }
}

/** The absolute path of a program on PATH. */
export async function which(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = resolve(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {}
  }
}

/** A server's name and version, if it starts at all (its libraries may be missing) and is new enough. */
export async function checkServer(
  command: string,
  env: NodeJS.ProcessEnv,
): Promise<{ name: string; version: string } | { reason: string }> {
  const result = await run(command, ['--version'], { env })
  const found = result.code === 0 ? parseServerVersion(result.stdout) : undefined
  if (!found) return { reason: `${command} does not run (${lastLine(result)})` }
  if (isNewEnough(found.version)) return found
  return { reason: `${command} is ${found.name} ${found.version}, and Busway needs ${MINIMUM_VERSION} or newer` }
}
