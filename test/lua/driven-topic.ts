/** A topic whose producer and consumer sessions a test drives script by script. After each test its data must obey docs/data-model.md. */
import {
  type AdvanceReply,
  type AdvanceRequest,
  advance,
  advancePublishing,
  type ComposeOptions,
  declare,
  type OpenRequest,
  open,
  type PublishReply,
  type PublishRequest,
  publish,
} from '@busway/lua'
import { expect } from 'chai'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { decodeBodies } from './batch.js'
import { violations } from './invariants.js'
import { ScriptDriver } from './script-driver.js'
import { readTopic } from './snapshot.js'

export const TOPIC = 'orders'
/** Where settles publish and reports go. */
export const OTHER = 'invoices'
const PRODUCER = 'prodAAAA'

export type Advanced = AdvanceReply & { status: 'ok' }

export interface DrivenTopic {
  readonly place: PrivateRedis
  /** Fresh for each test, as the counters are. */
  readonly scripts: ScriptDriver
  /** The producer's last request. */
  published: number
  /** The last request of each session. */
  advanced: Map<string, number>
  /** Begins the test again, with guards or for another version of Redis. */
  begin(options?: Partial<ComposeOptions>): Promise<void>
  put(batches: PublishRequest['batches'], more?: Partial<PublishRequest>): Promise<PublishReply>
  /** Opens a session; answers its group with the generation. */
  enter(session: string, group?: string, more?: Partial<OpenRequest>): Promise<string>
  /** The session's next request. */
  go(session: string, more?: Partial<AdvanceRequest>, group?: string): Promise<Advanced>
  bodies(reply: Advanced): unknown[]
  /** What is published to the wake channel of the bus `busAAAAA` during something. */
  wakes(during: () => Promise<unknown>): Promise<string[]>
  /** The same of another channel of the topic. */
  heard(channel: string, during: () => Promise<unknown>): Promise<string[]>
}

/** Registers the hooks of a `describe`. */
export function drivenTopic(): DrivenTopic {
  const place = privateRedis()
  let scripts: ScriptDriver
  const driven: DrivenTopic = {
    place,
    get scripts() {
      return scripts
    },
    published: 0,
    advanced: new Map(),

    async begin(options = {}) {
      scripts = new ScriptDriver(place.redis, place.namespace, { redisVersion: place.server.version, ...options })
      driven.published = 0
      driven.advanced = new Map()
      for (const topic of [TOPIC, OTHER]) await scripts.run(declare, topic, { session: PRODUCER })
    },

    put(batches, more = {}) {
      const number = ++driven.published
      return scripts.run(publish, TOPIC, { session: PRODUCER, number, lowestUnanswered: number, batches, ...more })
    },

    async enter(session, group = 'g', more = {}) {
      const settings = { leaseMs: 60_000, concurrency: 2, maxCrashes: 3, info: '{}', deadMax: 100, deadKeepMs: 1e9 }
      return (await scripts.run(open, TOPIC, { group, session, ...settings, ...more })).group
    },

    async go(session, more = {}, group = 'g@1') {
      const number = (driven.advanced.get(session) ?? 0) + 1
      driven.advanced.set(session, number)
      const publishes = more.settles?.some((settle) => settle.outcome === 'done' && settle.staged)
      const reply = await scripts.run(publishes ? advancePublishing : advance, TOPIC, {
        group,
        session,
        epoch: 0,
        number,
        want: 10,
        wantBytes: 1 << 20,
        acks: [],
        releases: [],
        settles: [],
        renew: false,
        ...more,
      })
      if (reply.status !== 'ok') throw new Error(`answered ${reply.status}`)
      return reply
    },

    wakes: (during) => driven.heard('wake:busAAAAA', during),

    async heard(name, during) {
      const channel = scripts.key(TOPIC, name)
      const heard: string[] = []
      const subscriber = place.redis.duplicate()
      await subscriber.subscribe(channel)
      subscriber.on('message', (_channel, payload) => heard.push(payload))
      await during()
      // What was published before this was heard before it.
      await new Promise<void>((resolve) => {
        subscriber.on('message', (_channel, payload) => payload === 'end' && resolve())
        void place.redis.publish(channel, 'end')
      })
      subscriber.disconnect()
      return heard.filter((payload) => payload !== 'end')
    },

    bodies: (reply) => reply.ranges.flatMap(({ value }) => decodeBodies(value as Buffer)),
  }

  beforeEach(() => driven.begin())
  afterEach(async () => {
    for (const topic of [TOPIC, OTHER])
      expect(violations(await readTopic(place.redis, place.namespace, topic)), topic).to.deep.equal([])
  })
  return driven
}
