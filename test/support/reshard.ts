/** Moves a slot of a cluster from its master to another, as `redis-cli --cluster reshard` does. */
import type { RedisCluster, RedisServer } from '@busway/testing'
import { Redis } from 'ioredis'

/** Keys that one MIGRATE takes. */
const STEP = 10

/** Resolves when the masters agree that it has moved. `between`: called while both have a part of it. */
export async function moveSlot(
  cluster: RedisCluster,
  slot: number,
  target: RedisServer,
  between: () => Promise<void> = async () => {},
): Promise<void> {
  const source = await cluster.masterOf(slot)
  const from = new Redis(source.url)
  const to = new Redis(target.url)
  const others = cluster.nodes.filter((node) => node !== source && node !== target && node.pid !== undefined)
  try {
    const [sourceId, targetId] = (await Promise.all([from.cluster('MYID'), to.cluster('MYID')])) as [string, string]
    await to.cluster('SETSLOT', slot, 'IMPORTING', sourceId)
    await from.cluster('SETSLOT', slot, 'MIGRATING', targetId)
    let isBetween = false
    for (;;) {
      const keys = (await from.cluster('GETKEYSINSLOT', slot, STEP)) as string[]
      if (keys.length === 0) break
      await from.migrate('127.0.0.1', target.port, '', 0, 5_000, 'KEYS', ...keys)
      if (!isBetween) await between()
      isBetween = true
    }
    if (!isBetween) await between()
    await to.cluster('SETSLOT', slot, 'NODE', targetId)
    await from.cluster('SETSLOT', slot, 'NODE', targetId)
    for (const other of others) await tell(other, slot, targetId)
  } finally {
    from.disconnect()
    to.disconnect()
  }
}

/** It would hear of it from the others; a replica may not be told. */
async function tell(node: RedisServer, slot: number, id: string): Promise<void> {
  const connection = new Redis(node.url)
  try {
    await connection.cluster('SETSLOT', slot, 'NODE', id)
  } catch {
  } finally {
    connection.disconnect()
  }
}
