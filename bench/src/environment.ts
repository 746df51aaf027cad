import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import type { Redis } from 'ioredis'
import { field } from './server-info.js'

/** Where and on what a run was measured. */
export interface Environment {
  /** ISO 8601. */
  date: string
  /** Git revision, with `+` if files differed from it. */
  revision: string
  node: string
  redis: string
  cpu: string
  cpus: number
  memoryGb: number
  /** Processes that wanted to run in the minute before: others' work, which should be none. */
  loadBefore: number
}

export async function describeEnvironment(redis: Redis): Promise<Environment> {
  const info = await redis.info('server')
  const processors = cpus()
  return {
    date: new Date().toISOString(),
    revision: gitRevision(),
    node: process.version,
    redis: field(info, 'redis_version') ?? 'unknown',
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cpus: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    loadBefore: Math.round((loadavg()[0] as number) * 100) / 100,
  }
}

function gitRevision(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
    return git('rev-parse', '--short=10', 'HEAD') + (changed ? '+' : '')
  } catch {
    return 'unknown'
  }
}
