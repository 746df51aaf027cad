import type { Fault } from './fault.js'

/** kill -9 of a process, and another instead of it. */
export const kill: Fault = {
  name: 'kill',
  async strike({ fleet, random, begin }) {
    const victim = random.pick([...fleet.of('consumer'), ...fleet.of('producer')])
    const end = begin({ by: victim.name, reruns: true })
    await victim.kill()
    await fleet.start(victim.role)
    end()
  },
}
