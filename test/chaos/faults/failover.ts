/** Masters that go, and slots that move. */
import type { RedisServer } from '@busway/testing'
import { expectConsistent } from '../../support/private-redis.js'
import { onServer } from '../sites/site.js'
import { TOPICS } from '../workload.js'
import type { Fault, Strikes } from './fault.js'

/** What a settle that a replica had not got may have been confirmed before, at most. */
const UNSENT_MS = 1000
/** How long a replica gets nothing, where what is published may be lost. */
const LAG_MS = 700

/** How long a master may say so that has not heard yet who took the place of another. */
const DOWN_MS = 10_000

async function noteHalves({ redis, namespace, left, now, pause }: Strikes, after: string): Promise<void> {
  const untilMs = now() + DOWN_MS
  for (;;) {
    const problem = await expectConsistent(redis, namespace).catch((error: Error) => error)
    if (problem === undefined) return
    if (!/cluster is down/i.test(problem.message) || now() > untilMs) return left(`after ${after}: ${problem.message}`)
    await pause(100)
  }
}

/**
 * A master is killed, and its replica takes its place. What it confirmed and had not sent is forgotten: settles, so that messages run again, and publishes
 * unless they waited for the replica. Where they did not, the replica is made to lag, so that there is something to forget.
 */
const failover: Fault = {
  name: 'failover',
  topologies: ['sentinel', 'cluster'],
  isLong: true,
  async strike(strikes) {
    const { site, random, begin, now, isDurable } = strikes
    const topic = random.pick(TOPICS)
    const dying = await site.masterOf(topic)
    const end = begin({ reruns: true })
    const loss = { lostFromMs: now() - UNSENT_MS, keepsPublishes: isDurable, apart: site.topology === 'cluster' }
    const lagging = isDurable ? [] : await lag(strikes, dying)
    await dying.kill()
    for (const replica of lagging) await replica.resume()
    await site.replaced(topic, dying)
    const lostToMs = now()
    await noteHalves(strikes, 'a failover')
    await site.rejoin(dying)
    end({ ...loss, lostToMs })
  },
  hit: (history) => {
    const isForgetful = history.some((entry) => entry.e === 'fault' && entry.lostFromMs && !entry.keepsPublishes)
    const isTold = history.some(({ e }) => e === 'rollback')
    return !isForgetful || isTold ? [] : ['nobody was told that the new master is behind what the old one confirmed']
  },
}

/** Whatever the master writes for a while reaches none of its replicas, which are stopped then. */
async function lag({ site, pause }: Strikes, master: RedisServer): Promise<RedisServer[]> {
  const replicas = await site.replicasOf(master)
  for (const replica of replicas) await replica.pause()
  await onServer(master, (redis) => redis.client('KILL', 'TYPE', 'REPLICA'))
  await pause(LAG_MS)
  return replicas
}

/** A master hands over to its replica in an orderly way. No reason to run anything again. */
const handover: Fault = {
  name: 'handover',
  topologies: ['cluster'],
  isLong: true,
  async strike(strikes) {
    const { site, random, begin } = strikes
    const topic = random.pick(TOPICS)
    const leaving = await site.masterOf(topic)
    const [replica] = await site.replicasOf(leaving)
    if (replica === undefined) throw new Error('a master without a replica')
    const end = begin({ reruns: false })
    await onServer(replica, (redis) => redis.cluster('FAILOVER'))
    await site.replaced(topic, leaving)
    await site.settled()
    await noteHalves(strikes, 'a handover')
    end()
  },
}

/** The slot of a topic moves to another master, key by key. No reason to run anything again. */
const reshard: Fault = {
  name: 'reshard',
  topologies: ['cluster'],
  isLong: true,
  async strike(strikes) {
    const { site, random, begin } = strikes
    const end = begin({ reruns: false })
    await site.reshard(random.pick(TOPICS), random.pick)
    await noteHalves(strikes, 'a slot moved')
    end()
  },
}

export const ofSeveralServers: readonly Fault[] = [failover, handover, reshard]
