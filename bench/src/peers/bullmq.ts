import { createRequire } from 'node:module'
import { Queue, Worker } from 'bullmq'
import type { Body } from '../body.js'
import type { Peer, Place } from '../peer.js'

const { version } = createRequire(import.meta.url)('bullmq/package.json') as { version: string }

/** Jobs that are removed when completed, as Busway's messages are when settled. */
const JOB_OPTIONS = { removeOnComplete: true }
const JOB_NAME = 'order'

/** BullMQ with its defaults; a Queue and a Worker have their own connections, as its documentation has it. */
export const bullmq: Peer = {
  name: 'bullmq',
  version,

  async openProducer(place) {
    // A job goes to one worker, so whoever wants it for several has a queue for each.
    const queues = Array.from({ length: place.groups ?? 1 }, (_, i) =>
      openQueue(i === 0 ? place : { ...place, queue: `${place.queue}-${i + 1}` }),
    )
    await Promise.all(queues.map((queue) => queue.waitUntilReady()))
    const [first] = queues as [(typeof queues)[number]]
    return {
      publish: (body, { delayMs } = {}) => {
        const options = delayMs === undefined ? undefined : { delay: delayMs }
        return queues.length === 1
          ? first.add(JOB_NAME, body, options)
          : Promise.all(queues.map((queue) => queue.add(JOB_NAME, body, options)))
      },
      publishBatch: (bodies) => first.addBulk(bodies.map((data) => ({ name: JOB_NAME, data }))),
      close: async () => void (await Promise.all(queues.map((queue) => queue.close()))),
    }
  },

  async openConsumer(place, { concurrency, handler }) {
    const queue = openQueue(place)
    const worker = new Worker<Body>(place.queue, (job) => handler(job.data), {
      connection: connectionOf(place),
      concurrency,
      autorun: false,
    })
    worker.on('error', (error) => console.error('bullmq:', error))
    worker.on('failed', (_job, error) => console.error('bullmq:', error))
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    return {
      async start() {
        worker.run().catch((error) => console.error('bullmq:', error))
      },
      async isDrained() {
        const counts = await queue.getJobCounts('wait', 'active', 'prioritized', 'delayed')
        return Object.values(counts).every((count) => count === 0)
      },
      async close() {
        await worker.close()
        await queue.close()
      },
    }
  },
}

function openQueue(place: Place): Queue<Body, unknown, typeof JOB_NAME> {
  return new Queue(place.queue, { connection: connectionOf(place), defaultJobOptions: JOB_OPTIONS })
}

function connectionOf({ redisUrl }: Place) {
  const { hostname, port } = new URL(redisUrl)
  return { host: hostname, port: Number(port) }
}
