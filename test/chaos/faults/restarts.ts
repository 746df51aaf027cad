/** Redis ends and comes back. */
import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { RedisServer } from '@busway/testing'
import { expectConsistent } from '../../support/private-redis.js'
import { ORDERS } from '../workload.js'
import type { Fault, Strikes } from './fault.js'

/** How long before its end the server's file is cut off. */
const LOSS_MS = 700
/** What `everysec` may lose. */
const MOST_MS = 1000

const noteHalves = async ({ redis, namespace, left }: Strikes) =>
  expectConsistent(redis, namespace).catch((error: Error) => left(`after the restart: ${error.message}`))

/** Killed, with every write on its disk before it is answered: nothing may be missing. */
const always: Fault = {
  name: 'restart-always',
  topologies: ['standalone'],
  args: ['--appendonly', 'yes', '--appendfsync', 'always'],
  async strike(strikes) {
    const end = strikes.begin({ reruns: false })
    const server = await strikes.site.masterOf(ORDERS)
    await server.kill()
    await server.restart()
    await noteHalves(strikes)
    end()
  },
}

/**
 * Killed, and what it wrote last never reached the disk. A killed process leaves that to the system, so its file is cut off here, at any byte: also in the
 * middle of a script's writes, which then are not there at all.
 */
const everysec: Fault = {
  name: 'restart-everysec',
  topologies: ['standalone'],
  args: ['--appendonly', 'yes', '--appendfsync', 'everysec'],
  async strike(strikes) {
    const { site, random, begin, pause, now } = strikes
    const server = await site.masterOf(ORDERS)
    const file = await appendOnlyFile(server)
    const end = begin({ reruns: true })
    const before = (await stat(file)).size
    await pause(LOSS_MS)
    const killedMs = now()
    await server.kill()
    const { size } = await stat(file)
    await truncate(file, before + random.whole(Math.max(1, size - before)))
    await server.restart()
    await noteHalves(strikes)
    await writeAnew(strikes)
    end({ lostFromMs: killedMs - MOST_MS })
  },
  hit: (history) =>
    history.some(({ e }) => e === 'rollback') ? [] : ['nobody was told that the server is behind what it confirmed'],
}

/**
 * Redis 7.0 cuts a file that ends inside a command back to the end of the command before, also inside of MULTI: the half transaction is then run by the next
 * restart. That is no fault of the bus, so it is kept from happening, as docs/faults.md advises.
 */
async function writeAnew({ redis, pause }: Strikes): Promise<void> {
  await redis.bgrewriteaof()
  while (/aof_rewrite_(in_progress|scheduled):1/.test(await redis.info('persistence'))) await pause(10)
}

/** The one that grows. */
async function appendOnlyFile({ dir }: RedisServer): Promise<string> {
  const names = await readdir(dir, { recursive: true })
  const numberOf = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? 0)
  // Redis before 7 has one file, with another name.
  const growing = names
    .filter((name) => name.endsWith('.aof'))
    .sort((a, b) => numberOf(a) - numberOf(b))
    .at(-1)
  if (growing === undefined) throw new Error(`no append-only file in ${dir}: ${names.join(', ')}`)
  return join(dir, growing)
}

export const restarts: readonly Fault[] = [always, everysec]
