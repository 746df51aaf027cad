/** A topic with partitions on a cluster, filled and emptied. */
import { createBus, defineTopics, type Topics, type } from '@busway/bus'
import { type Body, makeBody } from '../body.js'
import type { Masters } from './masters.js'

const GROUP = 'orders'
const IN_FLIGHT = 500
const CONCURRENCY = 100

export function openBus({ cluster }: Masters, topic: string, partitions: number, more: Record<string, number> = {}) {
  const definition = (count: number) => ({ body: type<Body>(), partitions: count, groups: [GROUP] })
  const all = Object.entries({ ...more, [topic]: partitions }).map(([name, count]) => [name, definition(count)])
  // Their names come with the measurement, so the types know none.
  const topics = defineTopics(Object.fromEntries(all)) as unknown as Topics<Record<string, Body>>
  return createBus({ service: GROUP, redis: cluster.redis, topics, logger: false })
}

type TheBus = ReturnType<typeof openBus>

/** One by one, 500 in flight for each partition; with so many ordering keys in turn, if any. */
export async function fill(
  bus: TheBus,
  topic: string,
  partitions: number,
  messages: number,
  keys: number,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < messages) {
      const n = next++
      await bus.publish(topic, makeBody(n), keys === 0 ? undefined : { key: `customer-${n % keys}` })
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT * partitions }, lane))
}

/** By one consumer, 100 at a time; resolves when all is settled. */
export async function empty(bus: TheBus, topic: string, messages: number, forwardTo?: string): Promise<void> {
  let handled = 0
  await new Promise<void>((resolve) => {
    bus.consume(
      topic,
      async ({ body }, ctx) => {
        if (forwardTo !== undefined) await ctx.publish(forwardTo, body)
        if (++handled === messages) resolve()
      },
      { concurrency: CONCURRENCY },
    )
  })
  for (;;) {
    const { groups, outbox } = await bus.topic(topic).stats()
    const group = groups[GROUP]
    if (group === undefined || group.ready + group.inFlight + group.held + outbox === 0) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
