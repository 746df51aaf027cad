/** A real Prometheus: from PATH, the cache, or Debian's package, unpacked into the cache without root. */
import { type ChildProcess, spawn } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { TemporaryFolder } from '@busway/testing'
import { findFreePort } from '../../packages/testing/src/free-port.js'
import { Apt, unpack } from '../../packages/testing/src/sources/apt.js'
import { cacheFolder } from '../../packages/testing/src/sources/cache.js'
import { which } from '../../packages/testing/src/sources/path.js'
import { deadline } from '../support/deadline.js'

type Found = { readonly command: string } | { readonly reason: string }

export async function findPrometheus(env = process.env): Promise<Found> {
  const installed = await which('prometheus', env)
  if (installed !== undefined) return { command: installed }
  const folder = await cacheFolder(env, 'prometheus')
  const command = join(folder, 'root/usr/bin/prometheus')
  const isThere = () =>
    access(command).then(
      () => true,
      () => false,
    )
  if (await isThere()) return { command }
  for (const tool of ['apt-get', 'dpkg-deb'])
    if ((await which(tool, env)) === undefined) return { reason: `no prometheus on PATH, and no ${tool} to fetch it` }
  await mkdir(dirname(folder), { recursive: true })
  const work = await mkdtemp(`${folder}-fetching-`)
  try {
    const reason = await fetch_(work, { ...env, LC_ALL: 'C' })
    // Another process that fetched at the same time may have been faster.
    await rename(join(work, 'package'), folder).catch(() => {})
    return (await isThere()) ? { command } : { reason: reason ?? `${command} did not come` }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function fetch_(work: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const folder = join(work, 'package')
  await mkdir(folder)
  const apt = new Apt(work, env)
  if ((await apt.download(['prometheus'], folder)) !== undefined) {
    await apt.fetchOwnLists()
    const reason = await apt.download(['prometheus'], folder)
    if (reason !== undefined) return reason
  }
  return unpack(folder, env)
}

export interface Prometheus {
  /** What `/api/v1/<path>` answers. */
  ask(path: string, parameters: Record<string, string>): Promise<unknown>
  /** The series of an instant query, once there are any. */
  data(expression: string): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]>
  stop(): Promise<void>
}

/** Scrapes these addresses five times a second. */
export async function startPrometheus(
  command: string,
  folder: TemporaryFolder,
  targets: readonly string[],
): Promise<Prometheus> {
  const port = await findFreePort()
  const config = join(folder.path, 'prometheus.json')
  const job = { job_name: 'busway', static_configs: [{ targets }] }
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({ global: { scrape_interval: '200ms', scrape_timeout: '200ms' }, scrape_configs: [job] }),
  )
  const child = spawn(
    command,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder.path, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await started(child)
  const ask: Prometheus['ask'] = async (path, parameters) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as { status: string; error?: string; data: unknown }
    if (answer.status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${answer.error}`)
    return answer.data
  }
  return {
    ask,
    async data(query) {
      let isOver = false
      const search = async () => {
        for (;;) {
          const { result } = (await ask('query', { query })) as { result: Awaited<ReturnType<Prometheus['data']>> }
          if (result.length > 0 || isOver) return result
          await delay(100)
        }
      }
      return deadline(search(), undefined, () => `data of ${query}`).finally(() => {
        isOver = true
      })
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function started(child: ChildProcess): Promise<void> {
  const lines: string[] = []
  const ready = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`Prometheus ended:\n${lines.slice(-5).join('\n')}`)))
    // It goes on being read, so that it never waits for its reader.
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line)
      if (line.includes('Server is ready to receive web requests')) resolve()
    })
  })
  await deadline(ready, undefined, () => 'Prometheus to start').catch((error) => {
    child.kill('SIGKILL')
    throw error
  })
}
