/**
 * Debian's and Ubuntu's package of Redis, fetched and unpacked into the cache without root and without installing it:
 *
 * 1. find the package and the libraries it needs in the system's package lists,
 * 2. download them; if the lists are missing or out of date, fetch lists of our own and begin again,
 * 3. unpack all into one folder, with a `redis-server` beside it that sets the library path,
 * 4. check that it runs, and only then move the folder to its place.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lastLine, run } from '../run.js'
import { cacheFolder } from './cache.js'
import { checkServer, which } from './path.js'
import type { Finder } from './source.js'

const NETWORK_TIMEOUT_MS = 180_000
/** What a distribution may offer, the best first. */
const FAMILIES = ['redis', 'valkey'] as const
type Family = (typeof FAMILIES)[number]

/** Fetches the distribution's own Redis (or Valkey) into the cache. */
export const findWithApt: Finder = async (env) => {
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb'])
    if (!(await which(tool, env))) return { reason: `${tool} is not on PATH: only Debian, Ubuntu and the like have it` }
  const folder = await cacheFolder(env)
  await mkdir(dirname(folder), { recursive: true })
  const work = await mkdtemp(`${folder}-fetching-`)
  try {
    const apt = new Apt(work, { ...env, LC_ALL: 'C' })
    let reason = ''
    for (const listsOf of ['the system', 'our own'] as const) {
      if (listsOf === 'our own') await apt.fetchOwnLists()
      for (const family of FAMILIES) {
        const fetched = await fetchServer(apt, family, join(work, `${family} by ${listsOf}`), env)
        if ('reason' in fetched) {
          reason ||= fetched.reason
          continue
        }
        await rename(folder, join(work, 'replaced')).catch(ignoreAbsence)
        await rename(fetched.folder, folder).catch(ignoreLostRace)
        const { name, version } = fetched
        return { source: 'apt', command: join(folder, 'redis-server'), name, version }
      }
    }
    return { reason }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function fetchServer(apt: Apt, family: Family, folder: string, env: NodeJS.ProcessEnv) {
  const packages = await apt.withLibraries([`${family}-server`, `${family}-tools`])
  if (packages.length === 0) return { reason: `apt knows no package ${family}-server` }
  await mkdir(folder, { recursive: true })
  const failure = (await apt.download(packages, folder)) ?? (await unpack(folder, env))
  if (failure) return { reason: failure }
  await writeLauncher(family, folder)
  const checked = await checkServer(join(folder, 'redis-server'), env)
  return 'version' in checked ? { ...checked, folder } : checked
}

/** apt-get and apt-cache, with the system's package lists, or after `fetchOwnLists` with lists in our own folder. */
export class Apt {
  // Root would download as the user _apt, which cannot write to our folder.
  #options = ['-q', '-o', 'APT::Sandbox::User=root']
  readonly #work: string
  readonly #env: NodeJS.ProcessEnv

  constructor(work: string, env: NodeJS.ProcessEnv) {
    this.#work = work
    this.#env = env
  }

  /** Needs no root: lists, cache and locks are all ours. A failure shows when nothing is found in the lists. */
  async fetchOwnLists(): Promise<void> {
    const state = join(this.#work, 'state')
    const cache = join(this.#work, 'cache')
    await mkdir(join(state, 'lists/partial'), { recursive: true })
    await mkdir(join(cache, 'archives/partial'), { recursive: true })
    this.#options.push('-o', `Dir::State=${state}`, '-o', `Dir::State::lists=${state}/lists`)
    this.#options.push('-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${cache}`)
    await run('apt-get', [...this.#options, 'update'], { env: this.#env, timeoutMs: NETWORK_TIMEOUT_MS })
  }

  /** The packages and every library that they depend on, but for the C library, which every system has. */
  async withLibraries(packages: string[]): Promise<string[]> {
    const found = new Set<string>()
    for (let round = packages; round.length > 0; ) {
      const shown = await run('apt-cache', [...this.#options, 'show', '--no-all-versions', ...round], {
        env: this.#env,
      })
      for (const [, name] of shown.stdout.matchAll(/^Package: (.+)$/gm)) found.add(name as string)
      const asked = new Set(round)
      const needed = [...shown.stdout.matchAll(/^(?:Pre-)?Depends: (.+)$/gm)].flatMap(([, list]) =>
        libraries(list ?? ''),
      )
      round = [...new Set(needed)].filter((name) => !found.has(name) && !asked.has(name))
    }
    return found.has(packages[0] as string) ? [...found] : []
  }

  /** Gives the reason if it failed. */
  async download(packages: string[], folder: string): Promise<string | undefined> {
    const args = [...this.#options, 'download', ...packages]
    const result = await run('apt-get', args, { cwd: folder, env: this.#env, timeoutMs: NETWORK_TIMEOUT_MS })
    if (result.code !== 0) return `apt-get could not download ${packages[0]} (${lastLine(result)})`
  }
}

/** The libraries in a list such as 'adduser, libc6 (>= 2.34), libsystemd0 | libelogind0 (>= 246)'. */
function libraries(dependencies: string): string[] {
  const firstChoices = dependencies.split(',').map((one) => one.trim().split(/[\s:|(]/)[0] ?? '')
  return firstChoices.filter((name) => /^(lib|lua-)/.test(name) && name !== 'libc6')
}

export async function unpack(folder: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const archives = (await readdir(folder)).filter((file) => file.endsWith('.deb'))
  for (const archive of archives) {
    const result = await run('dpkg-deb', ['-x', join(folder, archive), join(folder, 'root')], {
      env,
      timeoutMs: 60_000,
    })
    if (result.code !== 0) return `dpkg-deb could not unpack ${archive} (${lastLine(result)})`
    await rm(join(folder, archive))
  }
}

/** A script, so that whoever runs the server need not know where its libraries are. */
async function writeLauncher(family: Family, folder: string): Promise<void> {
  const files = await readdir(join(folder, 'root'), { recursive: true })
  const libraryFolders = new Set(
    files.filter((file) => /\/lib[^/]*\.so[.\d]*$/.test(file)).map((file) => dirname(file)),
  )
  const libraryPath = [...libraryFolders].map((path) => `$here/root/${path}`).join(':')
  const launcher = join(folder, 'redis-server')
  const lines = [
    '#!/bin/sh',
    'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)',
    `LD_LIBRARY_PATH="${libraryPath}" exec "$here/root/usr/bin/${family}-server" "$@"`,
  ]
  await writeFile(launcher, `${lines.join('\n')}\n`)
  await chmod(launcher, 0o755)
}

function ignoreAbsence(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Another process that fetched at the same time was faster: its server is as good. */
function ignoreLostRace(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
}
