/** What processes do by themselves, or are made to do in an orderly way. */
import { onMasters, type Site } from '../sites/site.js'
import type { Fault } from './fault.js'

const SLOW_MS = 2000

/** Every handler of one process takes long for a while. */
const slow: Fault = {
  name: 'slow',
  async strike({ fleet, random, begin, pause }) {
    const victim = random.pick(fleet.of('consumer'))
    const end = begin({ by: victim.name, reruns: false })
    victim.tell('slow')
    await pause(SLOW_MS)
    victim.tell('quick')
    end()
  },
}

/** One consumer after the other is closed and replaced, as a deployment does. No reason to run anything again. */
const roll: Fault = {
  name: 'roll',
  async strike({ fleet, begin }) {
    const end = begin({ reruns: false })
    for (const leaving of fleet.of('consumer')) {
      await fleet.start('consumer')
      await leaving.close()
    }
    end()
  },
}

/** A consumer and a producer whose clock is an hour ahead or behind take the places of others. */
const clock: Fault = {
  name: 'clock',
  async strike({ fleet, random, begin }) {
    const end = begin({ reruns: false })
    const skewed = new URL(random.oneIn(2) ? './clock-ahead.ts' : './clock-behind.ts', import.meta.url)
    for (const role of ['consumer', 'producer'] as const) {
      const leaving = random.pick(fleet.of(role))
      await fleet.start(role, skewed)
      await leaving.close()
    }
    end()
  },
}

/**
 * The whole deployment is replaced by one whose scripts are another version's, process after process, so that both work side by side meanwhile; then back again.
 */
const versions: Fault = {
  name: 'versions',
  async strike({ fleet, site, begin, left }) {
    const end = begin({ reruns: false })
    const before = await scriptsOf(site)
    for (const preload of [new URL('./other-scripts.ts', import.meta.url), undefined]) {
      for (const leaving of [...fleet.of('consumer'), ...fleet.of('producer')]) {
        await fleet.start(leaving.role, preload)
        await leaving.close()
      }
      if (preload && !isDeployed && (await scriptsOf(site)) <= before)
        left('no other scripts, though another version was deployed')
      isDeployed = true
    }
    end()
  },
}
let isDeployed = false

const scriptsOf = async (site: Site): Promise<number> => {
  const infos = await onMasters(site, (redis) => redis.info('memory'))
  return infos.reduce((sum, info) => sum + Number(/number_of_cached_scripts:(\d+)/.exec(info)?.[1]), 0)
}

export const ofProcesses: readonly Fault[] = [slow, roll, versions, clock]
