import { type AdvanceReply, advance, declare, type LeasePart, type OpenReply, open } from '@busway/lua'
import { Redis } from 'ioredis'
import { decodeBatch, randomId } from '../../../../packages/bus/dist/wire/index.js'
import type { Body } from '../../body.js'
import type { Consumer, ConsumerOptions, Place } from '../../peer.js'
import { GROUP } from './group.js'
import { TopicScripts } from './scripts.js'

/** Requests under way at once: while one reply is handled, Redis works on the next. */
const REQUESTS = 2
/** Messages and bytes asked for at once. */
const WANT = 512
const WANT_BYTES = 1 << 20
/** Longer than any pass. */
const LEASE_MS = 300_000

function bodiesOf(value: Buffer): unknown[] {
  const envelope = decodeBatch(value)
  if (envelope.isParsedTogether) return envelope.parseAll()
  return Array.from({ length: envelope.count }, (_, i) => JSON.parse(envelope.body(i).toString()))
}

/** Takes, decodes, hands over, acknowledges with the next request. Concurrency means nothing to it. */
export class RawConsumer implements Consumer {
  readonly #scripts: TopicScripts
  readonly #wakes: Redis
  readonly #session: string
  readonly #handler: ConsumerOptions['handler']
  #group: OpenReply['group'] = ''
  #requests = 0
  #underWay = 0
  #acks: LeasePart[] = []
  /** There may be something to take. */
  #asks = true
  #isOpen = true

  private constructor(scripts: TopicScripts, wakes: Redis, busId: string, handler: ConsumerOptions['handler']) {
    this.#scripts = scripts
    this.#wakes = wakes
    this.#session = `${busId}~1`
    this.#handler = handler
  }

  static async open(place: Place, { handler }: ConsumerOptions): Promise<RawConsumer> {
    const scripts = await TopicScripts.connect(place, ['declare', 'open', 'advance'])
    await scripts.run(declare, { groups: [GROUP] })
    const busId = randomId()
    const wakes = new Redis(place.redisUrl)
    const consumer = new RawConsumer(scripts, wakes, busId, handler)
    wakes.on('message', () => {
      consumer.#asks = true
      consumer.#pump()
    })
    await wakes.subscribe(`${scripts.prefix}wake:${busId}`)
    return consumer
  }

  async start(): Promise<void> {
    const { group } = await this.#scripts.run(open, {
      group: GROUP,
      session: this.#session,
      leaseMs: LEASE_MS,
      concurrency: 1,
      maxCrashes: 3,
      info: '{}',
      deadMax: 1_000,
      deadKeepMs: 60_000,
    })
    this.#group = group
    this.#pump()
  }

  async isDrained(): Promise<boolean> {
    return (await this.#scripts.redis.hlen(`${this.#scripts.prefix}pending`)) === 0
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#wakes.disconnect()
    this.#scripts.redis.disconnect()
  }

  #pump(): void {
    while (this.#isOpen && this.#underWay < REQUESTS && (this.#asks || this.#acks.length > 0)) this.#send()
  }

  #send(): void {
    const acks = this.#acks
    this.#acks = []
    this.#asks = false
    this.#underWay++
    this.#scripts
      .run(advance, {
        group: this.#group,
        session: this.#session,
        epoch: 0,
        number: ++this.#requests,
        want: WANT,
        wantBytes: WANT_BYTES,
        acks,
        releases: [],
        settles: [],
        renew: false,
      })
      .then((reply) => this.#take(reply))
      .catch((error) => this.#isOpen && console.error('raw-loop:', error))
  }

  #take(reply: AdvanceReply): void {
    if (reply.status !== 'ok') throw new Error(`The session is out of step: ${reply.status}.`)
    this.#underWay--
    this.#asks ||= reply.more || reply.ranges.length > 0
    this.#pump()
    for (const { lease, value } of reply.ranges) {
      for (const body of bodiesOf(value as Buffer)) void this.#handler(body as Body)
      this.#acks.push({ lease })
    }
    this.#pump()
  }
}
