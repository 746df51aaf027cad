/** All faults, as `--fault` names them. */

import type { Topology } from '../sites/site.js'
import { ofConnections } from './connections.js'
import { ofSeveralServers } from './failover.js'
import type { Fault } from './fault.js'
import { kill } from './kill.js'
import { ofMessages } from './messages.js'
import { ofProcesses } from './processes.js'
import { restarts } from './restarts.js'
import { ofTheServer } from './server.js'
import { stop } from './stop.js'

export const faults: readonly Fault[] = [
  kill,
  stop,
  ...ofConnections,
  ...restarts,
  ...ofTheServer,
  ...ofProcesses,
  ...ofMessages,
  ...ofSeveralServers,
]

export const canStrike = ({ topologies }: Fault, topology: Topology): boolean =>
  topologies === undefined || topologies.includes(topology)

/**
 * All that go together: a server's disk is always or sometimes behind, so of the two restarts the seed takes one. Where there are several servers, every
 * second fault is one of theirs. Without `long`: no others that take long.
 */
export function mixed(seed: number, topology: Topology, { long = true } = {}): readonly Fault[] {
  const [one, other] = seed % 2 === 0 ? restarts : restarts.toReversed()
  const isOwn = (fault: Fault): boolean => ofSeveralServers.includes(fault)
  const fitting = faults.filter(
    (fault) =>
      canStrike(fault, topology) && fault !== other && (fault === one || isOwn(fault) || long || !fault.isLong),
  )
  const own = fitting.filter(isOwn)
  const others = fitting.filter((fault) => !own.includes(fault))
  return own.length === 0 ? others : [...others, ...others.map((_, i) => own[i % own.length] as Fault)]
}
