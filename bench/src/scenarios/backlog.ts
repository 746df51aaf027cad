import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import type { Peer, Place } from '../peer.js'
import { queueNames, type Scenario } from '../scenario.js'
import { settled, Tally } from '../tally.js'
import { IN_FLIGHT } from './publish.js'

const CONCURRENCY = 100

/** Many small backlogs, one after the other, for a single one is gone before it can be measured. */
export const backlogSmall = backlog('1k', 1_000, 50_000)
export const backlogMiddle = backlog('100k', 100_000, 100_000)
export const backlogLarge: Scenario = { ...backlog('1m', 1_000_000, 1_000_000), mostRounds: 1 }

/** How fast a consumer works off what waits, by how much waits: from the first message handled to the last. */
function backlog(name: string, size: number, messages: number): Scenario {
  return {
    name: `backlog-${name}`,
    title: `consume a backlog of ${size.toLocaleString('en')}, ${CONCURRENCY} at a time`,
    needs: ['queue'],
    metrics: ['handledPerSecond', ...COSTS],
    messages,
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(`backlog-${name}`)
      return {
        async pass(all, timed) {
          const backlogs: Backlog[] = []
          for (let left = all; left > 0; left -= size)
            backlogs.push(await Backlog.fill(peer, { redisUrl, queue: nextQueue() }, Math.min(size, left)))
          await timed(async () => {
            let ms = 0
            for (const each of backlogs) ms += await each.workOff(peer)
            return { handledPerSecond: (1_000 * all) / ms }
          })
        },
        async close() {},
      }
    },
  }
}

class Backlog {
  readonly #place: Place
  readonly #messages: number

  private constructor(place: Place, messages: number) {
    this.#place = place
    this.#messages = messages
  }

  static async fill(peer: Peer, place: Place, messages: number): Promise<Backlog> {
    const producer = await peer.openProducer(place)
    await publishInFlight(producer, messages, IN_FLIGHT)
    await producer.close()
    return new Backlog(place, messages)
  }

  /** Resolves with the milliseconds between the first message and the last. */
  async workOff(peer: Peer): Promise<number> {
    const tally = new Tally(this.#messages)
    let first = 0
    let last = 0
    const consumer = await peer.openConsumer(this.#place, {
      concurrency: CONCURRENCY,
      async handler(body) {
        last = performance.now()
        if (first === 0) first = last
        tally.add(body)
      },
    })
    await consumer.start()
    await settled(tally, consumer)
    await consumer.close()
    return last - first
  }
}
