/** What happens between a process and a Redis that is well. */
import { onMasters } from '../sites/site.js'
import { LEASE_MS } from '../workload.js'
import type { Fault, Strikes } from './fault.js'

/** Shorter than what a lease leaves between two renewals. */
const MOMENT_MS = 400

const victimOf = ({ fleet, random }: Strikes) => random.pick([...fleet.of('consumer'), ...fleet.of('producer')])

/** Destroys the connection instead of passing on a script. No reason to run anything again. */
const cutRequest: Fault = {
  name: 'cut-request',
  async strike(strikes) {
    const victim = victimOf(strikes)
    const end = strikes.begin({ by: victim.name, reruns: false })
    await Promise.race([victim.proxy.cutAtRequest(), strikes.pause(MOMENT_MS * 5)])
    end()
  },
}

/** Destroys it when Redis has run the script, instead of passing on the answer. */
const cutReply: Fault = {
  name: 'cut-reply',
  async strike(strikes) {
    const victim = victimOf(strikes)
    const end = strikes.begin({ by: victim.name, reruns: false })
    await Promise.race([victim.proxy.cutAtReply(), strikes.pause(MOMENT_MS * 5)])
    end()
  },
}

/** Destroys all connections of a process, whatever they carry. */
const cut: Fault = {
  name: 'cut',
  async strike(strikes) {
    const victim = victimOf(strikes)
    const end = strikes.begin({ by: victim.name, reruns: false })
    victim.proxy.cut()
    end()
  },
}

const dropFor = (name: string, what: 'dropRequests' | 'dropReplies'): Fault => ({
  name,
  async strike(strikes) {
    const victim = victimOf(strikes)
    const end = strikes.begin({ by: victim.name, reruns: false })
    victim.proxy[what]()
    await strikes.pause(MOMENT_MS)
    victim.proxy.heal()
    end()
  },
})

/** Nothing passes and nothing is closed, for longer than a lease. */
const hang: Fault = {
  name: 'hang',
  async strike(strikes) {
    const victim = victimOf(strikes)
    const end = strikes.begin({ by: victim.name, reruns: true })
    victim.proxy.hang()
    await strikes.pause(LEASE_MS * 1.5)
    victim.proxy.heal()
    end()
  },
}

/** Somebody ends all connections at the server. */
const clientKill: Fault = {
  name: 'client-kill',
  async strike({ site, begin }) {
    const end = begin({ reruns: false })
    for (const type of ['normal', 'pubsub'])
      await onMasters(site, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes'))
    end()
  },
}

export const ofConnections: readonly Fault[] = [
  cutRequest,
  cutReply,
  cut,
  dropFor('drop-requests', 'dropRequests'),
  dropFor('drop-replies', 'dropReplies'),
  hang,
  clientKill,
]
