import { startCluster } from '@busway/testing'
import { slotOf } from '../../../packages/bus/src/redis/slots.js'
import { clusterClient } from '../../support/cluster-client.js'
import { mastersOf } from '../../support/cluster-masters.js'
import { startClusterProxy } from '../../support/cluster-proxy.js'
import { moveSlot } from '../../support/reshard.js'
import { clockOf, onServer, type Site } from './site.js'

/** Three masters and three replicas. */
export async function cluster(args: string[]): Promise<Site> {
  const nodes = await startCluster({ args })
  const redis = clusterClient(nodes)
  return {
    topology: 'cluster',
    address: nodes.redis as Site['address'],
    redis,
    masters: () => mastersOf(nodes),
    masterOf: (topic) => nodes.masterOf(slotOf(topic)),
    async replicasOf(master) {
      const info = await onServer(master, (connection) => connection.info('replication'))
      const ports = [...info.matchAll(/^slave\d+:ip=[^,]+,port=(\d+)/gm)].map(([, port]) => Number(port))
      return nodes.nodes.filter(({ port }) => ports.includes(port))
    },
    proxy: () => startClusterProxy(nodes),
    replaced: (topic, former) => nodes.moved(slotOf(topic), former),
    async rejoin(dead) {
      await dead.restart()
      await nodes.settled()
    },
    settled: () => nodes.settled(),
    async reshard(topic, choose) {
      const slot = slotOf(topic)
      const home = await nodes.masterOf(slot)
      const others = (await mastersOf(nodes)).filter((master) => master !== home)
      await moveSlot(nodes, slot, choose(others))
    },
    clock: () => clockOf(nodes.nodes),
    async [Symbol.asyncDispose]() {
      redis.disconnect()
      await nodes.stop()
    },
  }
}
