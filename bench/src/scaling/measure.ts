/** What is measured: Redis' work for each message, by masters, partitions, keys and the size of requests. Not how long it takes: that needs a core for each master. */
import { makeBody } from '../body.js'
import type { ServerCost } from '../server-info.js'
import { greatestShare, type Masters, startMasters, totalOf } from './masters.js'
import { empty, fill, openBus } from './topic.js'

export interface Spread {
  readonly masters: number
  readonly partitions: number
  /** Ordering keys; 0: without. */
  readonly keys: number
  /** Of all masters, µs of CPU a message. */
  readonly publishUs: number
  readonly consumeUs: number
  /** Scripts a message, publishing and consuming. */
  readonly scripts: number
  /** Of both, what the busiest master has, of 1. */
  readonly greatestShare: number
}

/** Of a publish. */
export interface BySize {
  /** Messages in each request. */
  readonly size: number
  /** CPU of Redis for each request, µs. */
  readonly requestUs: number
}

export interface Scaling {
  readonly spreads: readonly Spread[]
  readonly sizes: readonly BySize[]
  /** CPU of Redis each time that an idle session renews its lease, µs. */
  readonly renewalUs: number
  /** What it costs more to publish a message in a handler to another slot, µs of all masters. */
  readonly relayedUs: number
}

const WARM_UP = 0.2

export async function measure(messages: number, say: (text: string) => void): Promise<Scaling> {
  const spreads: Spread[] = []
  for (const count of [1, 3]) {
    const masters = await startMasters(count)
    try {
      for (const keys of [0, 10_000])
        for (const partitions of [1, 3, 12]) {
          spreads.push(await spread(masters, count, partitions, keys, keys === 0 ? messages : messages / 5))
          say(JSON.stringify(spreads.at(-1)))
        }
    } finally {
      await masters.close()
    }
  }
  const one = await startMasters(1)
  try {
    const sizes: BySize[] = []
    for (const size of [1, 10, 100]) sizes.push(await bySize(one, size, messages))
    say(JSON.stringify(sizes))
    const renewalUs = await renewals(one)
    const relayedUs = await relayed(one, messages / 10)
    say(JSON.stringify({ renewalUs, relayedUs }))
    return { spreads, sizes, renewalUs, relayedUs }
  } finally {
    await one.close()
  }
}

async function spread(
  masters: Masters,
  count: number,
  partitions: number,
  keys: number,
  messages: number,
): Promise<Spread> {
  await pass(masters, `warm-up-${partitions}-${keys}`, partitions, keys, messages * WARM_UP)
  const [published, consumed] = await pass(masters, `orders-${partitions}-${keys}`, partitions, keys, messages)
  const [publishing, consuming] = [totalOf(published), totalOf(consumed)]
  return {
    ...{ masters: count, partitions, keys },
    publishUs: publishing.cpuUs / messages,
    consumeUs: consuming.cpuUs / messages,
    scripts: (publishing.scripts + consuming.scripts) / messages,
    greatestShare: greatestShare(published.map((cost, i) => totalOf([cost, consumed[i] as ServerCost]))),
  }
}

async function pass(
  masters: Masters,
  topic: string,
  partitions: number,
  keys: number,
  messages: number,
): Promise<[published: ServerCost[], consumed: ServerCost[]]> {
  const [producer, consumer] = [openBus(masters, topic, partitions), openBus(masters, topic, partitions)]
  await Promise.all([producer.ready(), consumer.ready()])
  const published = await masters.costOf(() => fill(producer, topic, partitions, messages, keys))
  const consumed = await masters.costOf(() => empty(consumer, topic, messages))
  await Promise.all([producer.close(), consumer.close()])
  return [published, consumed]
}

/** Eight producers, each awaiting its request: so Redis is never idle, and each request has as many messages as it is given. */
async function bySize(masters: Masters, size: number, messages: number): Promise<BySize> {
  const topic = `sizes-${size}`
  const buses = Array.from({ length: 8 }, () => openBus(masters, topic, 1))
  await Promise.all(buses.map((bus) => bus.ready()))
  const requests = Math.ceil(Math.min(messages / size, 20_000) / buses.length)
  const publishAll = (each: number) =>
    Promise.all(
      buses.map(async (bus) => {
        for (let i = 0; i < each; i++)
          await bus.publishBatch(
            topic,
            Array.from({ length: size }, (_, n) => ({ body: makeBody(n) })),
          )
      }),
    )
  await publishAll(Math.ceil(requests * WARM_UP))
  const { cpuUs } = totalOf(await masters.costOf(async () => void (await publishAll(requests))))
  await buses[0]?.topic(topic).delete({ force: true })
  await Promise.all(buses.map((bus) => bus.close()))
  return { size, requestUs: cpuUs / (requests * buses.length) }
}

/** Many idle sessions, for a few seconds; all that they do is renew. */
async function renewals(masters: Masters): Promise<number> {
  const topic = 'renewed'
  const buses = Array.from({ length: 20 }, () => openBus(masters, topic, 12))
  await Promise.all(buses.map((bus) => bus.consume(topic, () => undefined, { lease: 600 }).ready))
  const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3_000))
  const { cpuUs, scripts } = totalOf(await masters.costOf(rest))
  await Promise.all(buses.map((bus) => bus.close()))
  return cpuUs / scripts
}

async function relayed(masters: Masters, messages: number): Promise<number> {
  const costs: number[] = []
  for (const [topic, forwardTo] of [
    ['plain', undefined],
    ['forwarded', 'invoices'],
  ] as const) {
    const bus = openBus(masters, topic, 1, { invoices: 12 })
    await bus.ready()
    await fill(bus, topic, 1, messages, 0)
    const { cpuUs } = totalOf(await masters.costOf(() => empty(bus, topic, messages, forwardTo)))
    costs.push(cpuUs / messages)
    await bus.close()
  }
  return (costs[1] as number) - (costs[0] as number)
}
