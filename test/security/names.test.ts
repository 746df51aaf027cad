/**
 * Names cannot leave where they belong. The judge is Redis: the buses run under users who may touch the keys and channels of one namespace, or of one topic, and
 * whatever is beyond them would be refused, and stand in its ACL log.
 */
import { type Bus, BuswayError, createBus, type Plugin, type Scope } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { ratelimit } from '@busway/plugin-ratelimit'
import { idle } from '@busway/testing'
import { expect } from 'chai'
import fc from 'fast-check'
import { namespaceIsClean, world } from '../support/world.js'
import { hostileText, hostileValue } from './hostile.js'

const TOPIC = 'orders.paid'
/** What the documentation says that a topic is; with plugins there are theirs as well. */
const isTopic = (name: unknown): name is string =>
  typeof name === 'string' &&
  name.length <= 200 &&
  /^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\$[A-Za-z0-9._-]+)$/.test(name) &&
  !['__proto__', '$bus'].includes(name)
/** What may be a topic, and looks as if it might break out, or be something else. */
const oddTopic = fc.stringMatching(/^(-|_|--|a|0|-1|NaN|constructor|meta|toString)(\.(-|_|0|a|never|meta)){0,3}$/)

describe('hostile names', function () {
  this.timeout(60_000)
  const w = world()
  /** A bus that can reach no more than these patterns say. */
  const confined = async (
    patterns: readonly string[],
    more: { namespace?: string; plugins?: readonly Plugin[] } = {},
  ) => {
    const { namespace, log } = w
    const rules = patterns.flatMap((pattern) => [`~${pattern}`, `&${pattern}`])
    await w.redis.call('ACL', 'SETUSER', 'confined', 'reset', 'on', '>pw', '+@all', '-@dangerous', '+info', ...rules)
    await w.redis.call('ACL', 'LOG', 'RESET')
    const redis = w.server.url.replace('redis://', 'redis://confined:pw@')
    const plugins = [dedupe(), ratelimit()] as const
    const bus = createBus({ service: 'shop', redis, namespace, logger: log.logger, plugins, ...more })
    bus.on('error', () => {})
    w.atEnd(() => bus.close({ timeout: 2_000 }))
    return bus
  }
  /** Nothing was denied: nothing was tried beyond the patterns. */
  const expectConfined = async (): Promise<void> => {
    const log = (await w.redis.call('ACL', 'LOG')) as unknown[][]
    expect(log.map((entry) => entry.slice(2, 10).join(' '))).to.deep.equal([])
  }

  it('of topics are refused, or stay in their namespace and topic', async () => {
    const bus = (await confined([`${w.namespace}:{*`])) as unknown as Bus
    const accepted = new Set<string>()
    const tries: ((topic: string) => Promise<unknown>)[] = [
      (topic) => bus.publish(topic, 1),
      (topic) => bus.publishBatch(topic, [{ body: 1 }]),
      (topic) => bus.request(topic, 1, { timeout: 1 }),
      (topic) => bus.topic(topic).stats(),
      (topic) => bus.topic(topic).message('x'),
      (topic) => bus.topic(topic).group(topic).peek(),
      (topic) => bus.topic(topic).delete({ force: true }),
    ]
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileValue, oddTopic), fc.constantFrom(...tries), async (topic, act) => {
        const outcome = await attempt(() => act(topic as string))
        if (isTopic(topic)) accepted.add(topic)
        else expect(outcome).to.equal('INVALID_TOPIC')
      }),
      { numRuns: 1_000 },
    )
    const topics = new Set((await w.redis.keys(`${w.namespace}:*`)).map((key) => /:\{(.*?)\}:/.exec(key)?.[1]))
    topics.delete('$bus')
    expect([...topics].filter((topic) => topic === undefined || !accepted.has(topic))).to.deep.equal([])
    expect(accepted.size).to.be.greaterThan(10)
    await expectConfined()
    expect(await keysElsewhere(w.namespace)).to.deep.equal([])
  })

  it('of groups are refused, or stay in their topic', async () => {
    const bus = (await confined(ofTopic())) as unknown as Bus
    await fc.assert(
      fc.asyncProperty(hostileValue, async (group) => {
        const outcome = await attempt(async () => {
          const subscription = bus.consume(TOPIC, () => {}, { group: group as string })
          await subscription.ready
          await subscription.close()
          const admin = bus.topic(TOPIC).group(group as string)
          await admin.pause()
          await admin.deadLetters()
          await admin.remove()
        })
        if (outcome !== 'done') expect(outcome).to.be.oneOf(['INVALID_GROUP', 'INVALID_OPTIONS'])
      }),
      { numRuns: 200 },
    )
    await expectConfined()
  })

  it('of messages, keys, headers and what plugins take stay in their topic, and arrive as they were sent', async () => {
    const bus = await confined(ofTopic())
    const expected = new Map<string, object>()
    const received = new Map<string, object>()
    const text = hostileText([`${w.namespace}:{${TOPIC}}:meta`, `${w.namespace}:{other}:meta`, 'other:{a}:'])
    const options = fc.record(
      {
        id: text,
        key: text,
        type: text,
        headers: fc.dictionary(text, text, { maxKeys: 3 }),
        dedupe: fc.record({ key: text }),
      },
      { requiredKeys: [] },
    )
    const subscription = (bus as unknown as Bus).consume(TOPIC, ({ body, id, key, headers }) => {
      received.set(id, { body, ...(key !== undefined && { key }), headers })
    })
    await subscription.ready
    await fc.assert(
      fc.asyncProperty(options, text, async (given, body) => {
        const outcome = await attempt(async () => {
          const { id, status } = await bus.publish(TOPIC, body, given as never)
          if (status === 'accepted') {
            const sent = { body, ...(given.key !== undefined && { key: given.key }), headers: { ...given.headers } }
            expected.set(id, sent)
          }
          await bus.topic(TOPIC).message(id)
        })
        if (outcome !== 'done') expect(outcome).to.equal('INVALID_OPTIONS')
      }),
      { numRuns: 1_000 },
    )
    for (const id of expected.keys())
      if (!received.has(id))
        await bus
          .topic(TOPIC)
          .settled(id)
          .catch(() => {})
    await subscription.close()
    expect(received.size).to.be.greaterThan(100)
    for (const [id, message] of received) expect(wellFormed(message), id).to.deep.equal(wellFormed(expected.get(id)))
    await expectConfined()
  })

  it('that administration is asked for are refused, or find nothing', async () => {
    const bus = (await confined(ofTopic())) as unknown as Bus
    await bus.consume(TOPIC, () => {}).ready
    const topic = bus.topic(TOPIC)
    const group = topic.group('shop')
    const tries: ((text: string) => Promise<unknown>)[] = [
      (id) => topic.message(id),
      (id) => topic.cancel(id),
      (id) => topic.update(id, { priority: 1 }),
      (id) => topic.reschedule(id, 1),
      (id) => topic.settled(id, { timeout: 1 }),
      (id) => group.redrive([id]),
      (cursor) => group.peek({ cursor }),
      (cursor) => group.deadLetters({ cursor }),
      (cursor) => group.consumers({ cursor }),
      (cursor) => topic.peek({ state: 'scheduled', cursor }),
      (state) => group.purge({ state } as never),
      (pattern) => bus.removePattern(pattern, { group: 'shop' }),
    ]
    await fc.assert(
      fc.asyncProperty(hostileValue, fc.constantFrom(...tries), async (text, act) => {
        const outcome = await attempt(() => act(text as string))
        const refusals = ['INVALID_OPTIONS', 'INVALID_TOPIC', 'UNKNOWN_MESSAGE', 'UNKNOWN_GROUP', 'SETTLED_TIMEOUT']
        if (outcome !== 'done') expect(outcome).to.be.oneOf(refusals)
      }),
      { numRuns: 1_000 },
    )
    await expectConfined()
  })

  it('that a message would have its end reported to are left out, unless they are of a topic', async () => {
    const reported: string[] = []
    const bus = (await confined([`${w.namespace}:{*`], {
      plugins: [
        {
          name: 'reporting',
          api: 1,
          setup: (scope: Scope) => {
            scope.publish('enrich', (batch, next) => {
              for (const message of batch.messages) message.reportTo = { topic: String(message.body) }
              return next()
            })
          },
        },
      ],
    })) as unknown as Bus
    const subscription = bus.consume(TOPIC, () => {})
    await subscription.ready
    await fc.assert(
      fc.asyncProperty(hostileText(), async (topic) => {
        if ((await attempt(() => bus.publish(TOPIC, topic))) === 'done' && isTopic(topic)) reported.push(topic)
      }),
      { numRuns: 300 },
    )
    await idle(bus, undefined, { ignore: ['unclaimed'] })
    const topics = await bus.topics()
    expect(topics.filter((topic) => topic !== TOPIC && !reported.includes(topic))).to.deep.equal([])
    expect(topics).to.include.members(reported)
    await expectConfined()
  })

  it('that somebody has put into an outbox by hand are not relayed to', async () => {
    const { namespace, redis } = w
    const bus = (await confined(ofTopic())) as unknown as Bus
    await bus.publish(TOPIC, 1)
    const at = `${namespace}:{${TOPIC}}:`
    const destination = 'x}:{other'
    await redis.rpush(`${at}outbox:${destination}`, 'somebody 1 x')
    await redis.hset(`${at}outbox`, destination, 1)
    await redis.hset(`${at}meta`, 'outbox', 1)
    await bus.consume(TOPIC, () => {}).ready
    const { error } = await w.log.first(({ msg }) => msg.startsWith('The outbox could not be relayed'))
    expect(error).to.include('is not allowed')
    await expectConfined()
    await bus.close()
    await redis.del(`${at}outbox:${destination}`, `${at}outbox`)
    await redis.hdel(`${at}meta`, 'outbox')
  })

  it('of namespaces and services are refused, or every key begins with them', async () => {
    await fc.assert(
      fc.asyncProperty(hostileValue, fc.constantFrom('namespace', 'service'), async (text, option) => {
        try {
          const options = { service: 'shop', namespace: w.namespace, redis: w.server.url, logger: false as const }
          const bus = createBus({ ...options, [option]: text })
          await bus.close()
          if (text === undefined) expect(option).to.equal('namespace')
          else expect(text).to.match(/^[A-Za-z0-9._-]{1,100}$/)
        } catch (error) {
          if (!(error instanceof BuswayError)) throw error
          expect(error.code).to.equal('INVALID_OPTIONS')
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('of a namespace that begins as another one does reach nothing of that', async () => {
    const { namespace } = w
    const bus = (await confined([`${namespace}:{*`], { namespace: `${namespace}.eu` })) as unknown as Bus
    expect(await attempt(() => bus.publish(TOPIC, 1))).to.equal('REDIS_REFUSED')
    expect(await w.redis.keys(`${namespace}*`)).to.deep.equal([])
    await namespaceIsClean(w.redis, namespace)
  })

  /** One topic, and what a bus has to do with the list of topics. */
  const ofTopic = (): string[] => [`${w.namespace}:{${TOPIC}}:*`, `${w.namespace}:{$bus}:*`]
  const keysElsewhere = async (namespace: string): Promise<string[]> =>
    (await w.redis.keys('*')).filter(
      (key) => !key.startsWith(`${namespace}:{`) && /orders|meta/.test(key) && !/^t[0-9a-f]{8}:\{/.test(key),
    )
})

/** 'done', or the code of the BuswayError: anything else is a fault. */
async function attempt(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
    return 'done'
  } catch (error) {
    if (error instanceof BuswayError) return error.code
    throw error
  }
}

/** As UTF-8 has it: half a surrogate pair is no character. */
const wellFormed = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value ?? null).replace(/\\ud[89a-f][0-9a-f]{2}/g, '\ufffd'))
