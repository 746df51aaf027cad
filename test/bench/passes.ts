/** What the guard counts: a number of messages through the real client, from a point when everything is connected and declared to one when all is done. */
import { makeBody } from '../../bench/src/body.js'
import { publishBatches, publishInFlight, publishInTurn } from '../../bench/src/load.js'
import type { Place, PublishWishes } from '../../bench/src/peer.js'
import { busway } from '../../bench/src/peers/busway.js'
import { Tally } from '../../bench/src/tally.js'
import { deadline } from '../support/deadline.js'

const IN_FLIGHT = 500
const BATCH = 100
const TIMEOUT_MS = 20_000
/** All delays end together, or one after the other. */
const DELAY_MS = 300
/** So far apart that each is alone, and nothing can be done for two at once. */
const SPACING_MS = 5

/** Prepares, gives what is counted to `counted`, and leaves nothing running. */
export type Pass = (
  place: Place,
  messages: number,
  counted: (work: () => Promise<unknown>) => Promise<void>,
) => Promise<void>

type Publish = (producer: Awaited<ReturnType<typeof busway.openProducer>>, messages: number) => Promise<unknown>
type Wishes = (n: number) => PublishWishes

const keyOf =
  (keys: number): Wishes =>
  (n) => ({ key: `key-${n % keys}` })

const inFlight =
  (wishesOf?: Wishes): Publish =>
  (producer, messages) =>
    publishInFlight(producer, messages, IN_FLIGHT, wishesOf ? { wishesOf } : {})

const publishing =
  (publish: Publish, groups = 1): Pass =>
  async (place, messages, counted) => {
    const producer = await busway.openProducer({ ...place, groups })
    // The first publish declares the topic.
    await producer.publish(makeBody(0))
    await counted(() => publish(producer, messages))
    await producer.close()
  }

/** Up to the consumer's end, which settles what it has: nobody need ask meanwhile whether it is done. */
async function consumeAll(place: Place, messages: number, concurrency: number, begin?: () => Promise<unknown>) {
  const tally = new Tally(messages)
  const consumer = await busway.openConsumer(place, { concurrency, handler: async (body) => tally.add(body) })
  await consumer.start()
  await begin?.()
  await deadline(tally.complete, TIMEOUT_MS, () => `${place.queue} to be consumed`)
  await consumer.close()
}

const consuming =
  (concurrency: number, wishesOf?: Wishes): Pass =>
  async (place, messages, counted) => {
    const producer = await busway.openProducer(place)
    await inFlight(wishesOf)(producer, messages)
    await producer.close()
    await counted(() => consumeAll(place, messages, concurrency))
  }

const both =
  (wishesOf?: Wishes): Pass =>
  async (place, messages, counted) => {
    const producer = await busway.openProducer(place)
    await counted(() => consumeAll(place, messages, 100, () => inFlight(wishesOf)(producer, messages)))
    await producer.close()
  }

export const PASSES = {
  'publish, each awaited': publishing(publishInTurn),
  'publish, 500 in flight': publishing(inFlight()),
  'publish, batches of 100': publishing((producer, messages) => publishBatches(producer, messages, BATCH)),
  'publish, 10,000 keys': publishing(inFlight(keyOf(10_000))),
  'publish to 10 groups': publishing(inFlight(), 10),
  'consume, 1 at a time': consuming(1),
  'consume, 10 at a time': consuming(10),
  'consume, 100 at a time': consuming(100),
  'consume, 1 key': consuming(100, keyOf(1)),
  'consume, 1,000 keys': consuming(100, keyOf(1_000)),
  'consume, 10,000 keys': consuming(100, keyOf(10_000)),
  'delayed, due together': both(() => ({ delayMs: DELAY_MS })),
  'delayed, due one by one': both((n) => ({ delayMs: DELAY_MS + SPACING_MS * n })),
  'end to end': both(),
} satisfies Record<string, Pass>

export type PassName = keyof typeof PASSES
