import { setTimeout as sleep } from 'node:timers/promises'
import { unsettledRuns } from '../records/unsettled-runs.js'
import type { ServiceProcess } from './service-process.js'

const TRY_EVERY_MS = 5
const TRY_FOR_MS = 2_000

/**
 * Kills the process at a moment when it has runs that are not settled, as far as its journal tells: it is stopped in
 * its tracks and looked at, and let go on if it was idle. Killed idle if it always is. Gives the number of those runs.
 */
export async function killInMidRun(victim: ServiceProcess, folder: string): Promise<number> {
  const startMs = performance.now()
  for (;;) {
    victim.pause()
    const unsettled = await unsettledRuns(folder, victim.name)
    if (unsettled > 0 || performance.now() - startMs > TRY_FOR_MS) {
      await victim.kill()
      return unsettled
    }
    victim.resume()
    await sleep(TRY_EVERY_MS)
  }
}
