import { access, mkdir, readFile, stat } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkServer } from './path.js'
import type { Finder } from './source.js'

/** The server that the apt source once fetched, if it still runs. */
export const findInCache: Finder = async (env) => {
  const command = join(await cacheFolder(env), 'redis-server')
  try {
    await access(command)
  } catch {
    return { reason: `${command} does not exist` }
  }
  const checked = await checkServer(command, env)
  return 'version' in checked ? { source: 'cache', command, ...checked } : checked
}

/**
 * Where fetched servers are kept: `BUSWAY_CACHE_DIR`, else `busway` in `XDG_CACHE_HOME`, else in `~/.cache`, and if the
 * home cannot be written, a folder of this user's in the temporary folder. In it one folder for each kind of system,
 * since a home may be shared by machines on which the same binary does not run.
 */
export async function cacheFolder(env: NodeJS.ProcessEnv, program = 'redis'): Promise<string> {
  return join(await cacheRoot(env), `${program}-${await systemId()}-${process.arch}`)
}

async function cacheRoot(env: NodeJS.ProcessEnv): Promise<string> {
  if (env.BUSWAY_CACHE_DIR) return env.BUSWAY_CACHE_DIR
  const home = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'busway')
  if (await makeOwn(home)) return home
  const temporary = join(tmpdir(), `busway-cache-${process.getuid?.() ?? 'user'}`)
  if (await makeOwn(temporary)) return temporary
  throw new Error(`no folder for the cache: neither ${home} nor ${temporary} can be made and belongs to this user`)
}

/** The temporary folder is everybody's, so a folder that somebody else made there is not to be run from. */
async function makeOwn(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { uid } = await stat(folder)
    return process.getuid === undefined || uid === process.getuid()
  } catch {
    return false
  }
}

/** 'debian-12', 'ubuntu-24.04', or the platform's name. */
async function systemId(): Promise<string> {
  const { ID, VERSION_ID } = await readOsRelease()
  return [ID ?? process.platform, VERSION_ID].filter(Boolean).join('-')
}

/** The fields of `/etc/os-release`; none where there is no such file. */
export async function readOsRelease(): Promise<Record<string, string>> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const fields = text.matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm)
  return Object.fromEntries([...fields].map(([, name, value]) => [name, value]))
}
