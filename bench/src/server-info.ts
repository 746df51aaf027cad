/** What a server has used: by Redis' INFO, or by the system's account of its process. */
import { readFile } from 'node:fs/promises'
import type { Redis } from 'ioredis'

/** One command's line of `INFO commandstats`. */
export interface CommandStats {
  calls: number
  /** µs; of a script, with everything it called. */
  usec: number
}

/** What the server has used since it started. */
export interface ServerUse {
  /** µs of CPU, user and system. */
  cpuUs: number
  /** By command, in lower case. Commands that scripts call are counted as well as the scripts. */
  commands: ReadonlyMap<string, CommandStats>
}

/** Per-message figures are multiples of these. */
export interface ServerCost {
  cpuUs: number
  scriptUs: number
  scripts: number
  commands: number
}

const SCRIPT = /^(eval|evalsha|fcall)(_ro)?$/
/** The measurement's own. */
const OURS = new Set(['info'])

/** Asks Redis. */
export async function useOfRedis(redis: Redis): Promise<ServerUse> {
  return parseUse(`${await redis.info('cpu')}${await redis.info('commandstats')}`)
}

/** Of any process. Its commands are not known, and its CPU is NaN where the system has no /proc. */
export async function useOfProcess(pid: number): Promise<ServerUse> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return { cpuUs: cpuOf(text), commands: new Map() }
}

const TICK_US = 10_000

/** µs of CPU, user and system, in the text of /proc/<pid>/stat: fields 14 and 15, counted from behind the name, which may have blanks. */
export function cpuOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}

/** `INFO cpu` and `INFO commandstats`, in one text. */
export function parseUse(info: string): ServerUse {
  const commands = new Map<string, CommandStats>()
  let cpuSeconds = 0
  for (const line of info.split(/\r?\n/)) {
    const cpu = /^used_cpu_(?:user|sys):(.+)$/.exec(line)
    if (cpu) cpuSeconds += Number(cpu[1])
    const stats = /^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/.exec(line)
    if (stats) commands.set(stats[1] as string, { calls: Number(stats[2]), usec: Number(stats[3]) })
  }
  return { cpuUs: cpuSeconds * 1e6, commands }
}

/** What was used between two looks. */
export function costBetween(before: ServerUse, after: ServerUse): ServerCost {
  const cost: ServerCost = { cpuUs: after.cpuUs - before.cpuUs, scriptUs: 0, scripts: 0, commands: 0 }
  for (const [name, { calls, usec }] of commandsBetween(before, after)) {
    cost.commands += calls
    if (!SCRIPT.test(name)) continue
    cost.scripts += calls
    cost.scriptUs += usec
  }
  return cost
}

/** The same by command, without those that were not called. */
export function commandsBetween(before: ServerUse, after: ServerUse): Map<string, CommandStats> {
  const between = new Map<string, CommandStats>()
  for (const [name, { calls, usec }] of after.commands) {
    const earlier = before.commands.get(name) ?? { calls: 0, usec: 0 }
    if (OURS.has(name) || calls === earlier.calls) continue
    between.set(name, { calls: calls - earlier.calls, usec: usec - earlier.usec })
  }
  return between
}

/** A field of INFO, such as `redis_version`. */
export function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
