import { createRequire } from 'node:module'
import { Queue, Worker } from 'groupmq'
import { Redis } from 'ioredis'
import { type Body, numberOf } from '../body.js'
import type { Peer, Place } from '../peer.js'

const { version } = createRequire(import.meta.url)('groupmq/package.json') as { version: string }

/** Of one group, one job runs at a time: plain messages are spread over so many that any concurrency here is filled. */
const GROUPS = 100

/** GroupMQ with its defaults: finished jobs are not kept, and a job is stored when `add` resolves (`autoBatch` is off). */
export const groupmq: Peer = {
  name: 'groupmq',
  version,

  async openProducer(place) {
    const { queue, redis } = await openQueue(place)
    return {
      publish: (data, { key = `group-${numberOf(data) % GROUPS}`, delayMs } = {}) =>
        queue.add(delayMs === undefined ? { groupId: key, data } : { groupId: key, data, delay: delayMs }),
      publishBatch: () => Promise.reject(new Error('GroupMQ has no call that adds several jobs.')),
      async close() {
        await queue.close()
        redis.disconnect()
      },
    }
  },

  async openConsumer(place, { concurrency, handler }) {
    const { queue, redis } = await openQueue(place)
    const worker = new Worker<Body>({ queue, concurrency, handler: (job) => handler(job.data) })
    worker.on('error', (error) => console.error('groupmq:', error))
    worker.on('failed', (job) => console.error('groupmq: failed', job.failedReason))
    return {
      async start() {
        worker.run().catch((error) => console.error('groupmq:', error))
      },
      async isDrained() {
        const { waiting, active, delayed } = await queue.getJobCounts()
        return waiting + active + delayed === 0
      },
      async close() {
        await worker.close()
        await queue.close()
        redis.disconnect()
      },
    }
  },
}

async function openQueue({ redisUrl, queue: namespace }: Place) {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
  await redis.ping()
  return { queue: new Queue<Body>({ redis, namespace }), redis }
}
