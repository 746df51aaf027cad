import { LEASE_MS } from '../workload.js'
import type { Fault } from './fault.js'

/** SIGSTOP of a consumer past its lease, then SIGCONT: it goes on with what others have taken over. */
export const stop: Fault = {
  name: 'stop',
  async strike({ fleet, random, begin, pause }) {
    const victim = random.pick(fleet.of('consumer'))
    const end = begin({ by: victim.name, reruns: true })
    victim.signal('SIGSTOP')
    await pause(LEASE_MS * 1.8)
    victim.signal('SIGCONT')
    end()
  },
  hit: (history) => {
    const refused = history.some((entry) => entry.e === 'settled' && entry.refused)
    return refused ? [] : ['no settle was refused: nobody was stopped with a message in hand']
  },
}
