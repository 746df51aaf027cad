/** A Redis that is there, and full, forgetful or busy. */
import { onMasters } from '../sites/site.js'
import type { Fault } from './fault.js'

const OOM_MS = 1500
const BUSY_MS = 1000
const PROBE_TURNS = 2_000_000
const FLUSHES = 5

/** At its `maxmemory`, and evicts nothing. Publishes fail whole, what is settled frees memory. */
const outOfMemory: Fault = {
  name: 'oom',
  async strike({ site, begin, pause }) {
    const end = begin({ reruns: false })
    // Below what it uses already: room for nothing that Redis takes for a write that grows.
    await onMasters(site, async (redis) => {
      const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
      await redis.config('SET', 'maxmemory', Math.floor(used / 2))
    })
    await pause(OOM_MS)
    await onMasters(site, (redis) => redis.config('SET', 'maxmemory', 0))
    end()
  },
  hit: (history) => {
    const refused = history.some((entry) => entry.e === 'published' && entry.code === 'REDIS_OUT_OF_MEMORY')
    const strange = history.filter(
      (entry) => entry.e === 'published' && entry.outcome === 'failed' && entry.code !== 'REDIS_OUT_OF_MEMORY',
    )
    let full = false
    const settled = history.some((entry) => {
      if (entry.e === 'fault') full = entry.phase === 'begin'
      return full && entry.e === 'settled' && !entry.refused
    })
    return [
      ...(refused ? [] : ['no publish was refused with REDIS_OUT_OF_MEMORY']),
      ...(strange.length === 0 ? [] : [`publishes failed otherwise: ${JSON.stringify(strange[0])}`]),
      ...(settled ? [] : ['nothing was settled while Redis was full']),
    ]
  },
}

const flush: Fault = {
  name: 'flush',
  async strike({ site, begin, pause }) {
    const end = begin({ reruns: false })
    for (let time = 0; time < FLUSHES; time++) {
      await onMasters(site, (redis) => redis.script('FLUSH'))
      await pause(20)
    }
    end()
  },
}

/** Somebody else's script runs for so long that Redis answers BUSY. */
const busy: Fault = {
  name: 'busy',
  // Sentinels and peers take a server for down that says nothing else for so long.
  topologies: ['standalone'],
  args: ['--lua-time-limit', '100'],
  async strike({ redis, begin }) {
    // Scripts have no clock: how many turns make a second is measured by a short one.
    const script = 'for turn = 1, tonumber(ARGV[1]) do end'
    const fromMs = performance.now()
    await redis.eval(script, 0, PROBE_TURNS)
    const turns = Math.ceil((PROBE_TURNS * BUSY_MS) / (performance.now() - fromMs))
    const end = begin({ reruns: false })
    await redis.eval(script, 0, turns)
    end()
  },
}

export const ofTheServer: readonly Fault[] = [outOfMemory, flush, busy]
