/** The program of a process that publishes numbers, several at once, until it is told to stop. Started by publisher.ts. */
import { createBus } from '@busway/bus'
import { topicsWith } from './partitioned.js'
import type { PublisherReport, PublisherSetup } from './publisher.js'

const setup: PublisherSetup = JSON.parse(process.env.BUSWAY_TEST_PUBLISHER ?? '{}')
const { redis, namespace, topics, partitions, keys, durability, atOnce = 4, pauseMs = 1 } = setup
const report = (what: PublisherReport) => void (process.connected && process.send?.(what))
const bus = createBus({
  service: 'publisher',
  redis,
  namespace,
  logger: false,
  ...(durability === undefined ? {} : { durability }),
  ...(partitions === undefined ? {} : { topics: topicsWith({ partitions }, ...topics) }),
})
bus.on('error', () => {})
bus.on('rollback', ({ topic }) => report({ event: 'rolled back', topic }))

let next = 0
let isOver = false
async function publish(topic: string): Promise<void> {
  while (!isOver) {
    const n = next++
    try {
      await bus.publish(topic, n, keys === undefined ? {} : { key: `k${n % keys}` })
      report({ event: 'published', topic, n })
    } catch (error) {
      const { code = String(error) } = error as { code?: string }
      report({ event: 'failed', topic, n, code })
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const publishing = topics.flatMap((topic) => Array.from({ length: atOnce }, () => publish(topic)))

process.on('disconnect', () => process.exit(0))
process.on('message', async () => {
  isOver = true
  await Promise.all(publishing)
  await bus.close()
  report({ event: 'stopped' })
  process.disconnect()
})
