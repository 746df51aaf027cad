import { declare, publish } from '@busway/lua'
import {
  BATCH_BYTES,
  BATCH_MESSAGES,
  encodeBatch,
  encodeProperties,
  randomId,
} from '../../../../packages/bus/dist/wire/index.js'
import { BODY_BYTES, type Body, makeBody } from '../../body.js'
import type { Place, Producer } from '../../peer.js'
import { GROUP } from './group.js'
import { TopicScripts } from './scripts.js'

/** Requests under way at once: Redis always has one to run, another is on its way. */
const REQUESTS = 4
const PROPERTIES = encodeProperties({ source: 'orders' })

export class RawProducer implements Producer {
  readonly #scripts: TopicScripts
  readonly #session = randomId()
  #requests = 0
  #answered = 0

  constructor(scripts: TopicScripts) {
    this.#scripts = scripts
  }

  static async open(place: Place): Promise<RawProducer> {
    const scripts = await TopicScripts.connect(place, ['declare', 'publish'])
    const producer = new RawProducer(scripts)
    const groups = Array.from({ length: place.groups ?? 1 }, (_, i) => (i === 0 ? GROUP : `${GROUP}-${i + 1}`))
    await scripts.run(declare, { session: producer.#session, groups })
    return producer
  }

  publish(body: Body): Promise<void> {
    return this.publishBatch([body])
  }

  async publishBatch(bodies: Body[]): Promise<void> {
    const messages = bodies.map((each) => {
      const body = JSON.stringify(each)
      const bodyBytes = Buffer.byteLength(body)
      return { body, bodyBytes, type: undefined, contentType: undefined, headers: undefined }
    })
    await this.#send(encodeBatch(Date.now(), PROPERTIES, messages))
  }

  async publishAll(messages: number, inFlight: number, bodyBytes = BODY_BYTES): Promise<void> {
    const size = Math.min(BATCH_MESSAGES, inFlight, Math.max(1, Math.floor(BATCH_BYTES / bodyBytes)))
    let next = 0
    const lane = async () => {
      while (next < messages) {
        const from = next
        next = Math.min(messages, from + size)
        await this.publishBatch(Array.from({ length: next - from }, (_, i) => makeBody(from + i, bodyBytes)))
      }
    }
    await Promise.all(Array.from({ length: REQUESTS }, lane))
  }

  async #send(value: Buffer): Promise<void> {
    const number = ++this.#requests
    const lowestUnanswered = this.#answered + 1
    const batches = [{ value }]
    const reply = await this.#scripts.run(publish, { session: this.#session, number, lowestUnanswered, batches })
    if (reply.status !== 'ok' || reply.outcomes.length > 0)
      throw new Error(`A batch was not accepted: ${reply.status}.`)
    this.#answered = number
  }

  async close(): Promise<void> {
    await this.#scripts.redis.quit()
  }
}
