/** How messages are published: the loops that scenarios share. */
import { clockUs, makeBody } from './body.js'
import type { Producer, PublishWishes } from './peer.js'

export interface Load {
  wishesOf?(n: number): PublishWishes
  bodyBytes?: number
}

/** Publishes one by one, `inFlight` at a time: a new one as soon as one is confirmed. */
export async function publishInFlight(
  producer: Producer,
  messages: number,
  inFlight: number,
  { wishesOf, bodyBytes }: Load = {},
): Promise<void> {
  if (producer.publishAll) return producer.publishAll(messages, inFlight, bodyBytes)
  let next = 0
  const lane = async () => {
    while (next < messages) {
      const n = next++
      await producer.publish(makeBody(n, bodyBytes), wishesOf?.(n))
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, messages) }, lane))
}

/** Publishes each when the one before is confirmed, and gives how long each took, µs. */
export async function publishInTurn(producer: Producer, messages: number): Promise<Float64Array> {
  const latenciesUs = new Float64Array(messages)
  for (let n = 0; n < messages; n++) {
    const body = makeBody(n)
    const start = clockUs()
    await producer.publish(body)
    latenciesUs[n] = clockUs() - start
  }
  return latenciesUs
}

/** Publishes batches of `size`, each when the one before is confirmed. */
export async function publishBatches(
  producer: Producer,
  messages: number,
  size: number,
  bodyBytes?: number,
): Promise<void> {
  for (let from = 0; from < messages; from += size) {
    const length = Math.min(size, messages - from)
    await producer.publishBatch(Array.from({ length }, (_, i) => makeBody(from + i, bodyBytes)))
  }
}

/** Publishes one every `everyMs`, give or take half of it, so that no timer of anyone's keeps step with it. */
export async function publishNowAndThen(producer: Producer, messages: number, everyMs: number): Promise<void> {
  for (let n = 0; n < messages; n++) {
    await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + Math.random())))
    await producer.publish(makeBody(n))
  }
}

/** Publishes so many a second, whether or not those before are confirmed. */
export async function publishAtRate(producer: Producer, messages: number, perSecond: number): Promise<void> {
  const startMs = performance.now()
  const confirmations: Promise<unknown>[] = []
  for (let n = 0; n < messages; n++) {
    const dueMs = startMs + (n * 1000) / perSecond
    while (performance.now() < dueMs) await new Promise((resolve) => setTimeout(resolve, 1))
    confirmations.push(producer.publish(makeBody(n)))
  }
  await Promise.all(confirmations)
}
