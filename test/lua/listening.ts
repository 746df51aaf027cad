/** Listening to the channel `events` of a topic, as docs/wire-format.md describes it; read by code of the tests' own. */
import type { Redis } from 'ioredis'
import { parseRange } from './snapshot.js'

/** One message of one payload. */
export interface Told {
  readonly type: string
  readonly group?: string
  readonly batch: string
  readonly index: number
  /** All that is said beside. */
  readonly [field: string]: unknown
}

export interface Listening {
  /** What was published since the last call: a list of events for each PUBLISH. */
  heard(): Promise<Told[][]>
  /** The same, as it was published. */
  payloads(): Promise<string[]>
  stop(): Promise<void>
}

/** Resolves when the channel is subscribed. */
export async function listen(redis: Redis, channel: string): Promise<Listening> {
  const subscriber = redis.duplicate()
  let payloads: string[] = []
  let ended: () => void = () => {}
  subscriber.on('message', (_, text) => (text === 'end' ? ended() : payloads.push(text)))
  await subscriber.subscribe(channel)
  return {
    heard: async () => (await flush()).filter((text) => text !== '').map(read),
    payloads: flush,
    // Gone from Redis when this resolves.
    stop: async () => void (await subscriber.quit().catch(() => {})),
  }

  async function flush(): Promise<string[]> {
    const flushed = new Promise<void>((resolve) => {
      ended = resolve
    })
    // What was published before this was heard before it.
    await redis.publish(channel, 'end')
    await flushed
    const heard = payloads
    payloads = []
    return heard
  }
}

function read(text: string): Told[] {
  const { told } = JSON.parse(text) as { told: { type: string; range: string }[] }
  return told.flatMap(({ range, ...rest }) => {
    const { from, count, batch } = parseRange(range)
    return Array.from({ length: count }, (_, i) => ({ ...rest, batch, index: from + i }))
  })
}
