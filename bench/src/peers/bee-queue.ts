import { createRequire } from 'node:module'
import BeeQueue from 'bee-queue'
import type { Body } from '../body.js'
import type { Peer, Place } from '../peer.js'

const { version } = createRequire(import.meta.url)('bee-queue/package.json') as { version: string }

/** Bee-Queue without events, which nobody listens to here, and without the jobs in memory that serve them, as its documentation advises. */
export const beeQueue: Peer = {
  name: 'bee-queue',
  version,

  async openProducer(place) {
    const queue = openQueue(place, { isWorker: false })
    await queue.ready()
    return {
      publish(body, { delayMs } = {}) {
        const job = queue.createJob(body)
        return (delayMs === undefined ? job : job.delayUntil(Date.now() + delayMs)).save()
      },
      async publishBatch(bodies) {
        const errors = await queue.saveAll(bodies.map((body) => queue.createJob(body)))
        for (const error of errors.values()) throw error
      },
      close: () => queue.close(),
    }
  },

  async openConsumer(place, { concurrency, handler }) {
    const queue = openQueue(place, { removeOnSuccess: true, activateDelayedJobs: true })
    await queue.ready()
    queue.on('failed', (_job, error) => console.error('bee-queue:', error))
    return {
      async start() {
        queue.process(concurrency, (job: BeeQueue.Job<Body>) => handler(job.data))
      },
      async isDrained() {
        const { waiting, active, delayed } = await queue.checkHealth()
        return waiting + active + delayed === 0
      },
      close: () => queue.close(),
    }
  },
}

function openQueue({ redisUrl, queue: name }: Place, settings: BeeQueue.QueueSettings): BeeQueue<Body> {
  const { hostname: host, port } = new URL(redisUrl)
  const queue = new BeeQueue<Body>(name, {
    ...settings,
    redis: { host, port: Number(port) },
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
  })
  queue.on('error', (error) => console.error('bee-queue:', error))
  return queue
}
