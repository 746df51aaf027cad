/** What a requester is told by the scripts: on its channel, or in a list where it looks when it is back. */
import { type AdvanceReply, advance, declare, type GroupRef, open, publish, purge } from '@busway/lua'
import { expect } from 'chai'
import { privateRedis } from '../support/private-redis.js'
import { encodeBatch } from './batch.js'
import { violations } from './invariants.js'
import { ScriptDriver } from './script-driver.js'
import { readTopic } from './snapshot.js'

const TOPIC = 'fares.quote'
const REQUESTER = 'busRRRRR'
const REPORT_TO = 5
const MINUTE_MS = 60_000

/** A consumer session that takes one message after the other. */
interface Consumer {
  readonly group: GroupRef
  readonly session: string
  number: number
}

describe('the end of a message that a requester waits for', () => {
  const place = privateRedis()
  let scripts: ScriptDriver
  let published: number

  beforeEach(async () => {
    scripts = new ScriptDriver(place.redis, place.namespace, { redisVersion: place.server.version })
    published = 0
    await scripts.run(declare, TOPIC, { session: 'prodAAAA' })
  })
  afterEach(async () => expect(violations(await readTopic(place.redis, place.namespace, TOPIC))).to.deep.equal([]))

  const enter = async (session: string, name = 'g'): Promise<Consumer> => {
    const settings = {
      leaseMs: MINUTE_MS,
      concurrency: 1,
      maxCrashes: 3,
      info: '{}',
      deadMax: 10,
      deadKeepMs: MINUTE_MS,
    }
    const { group } = await scripts.run(open, TOPIC, { group: name, session, ...settings })
    return { group, session, number: 0 }
  }
  const go = async (consumer: Consumer, more: object = {}): Promise<AdvanceReply & { status: 'ok' }> => {
    const { group, session } = consumer
    const nothing = { acks: [], releases: [], settles: [], renew: false }
    const request = { group, session, epoch: 0, number: ++consumer.number, want: 1, wantBytes: 1 << 20 }
    const reply = await scripts.run(advance, TOPIC, { ...request, ...nothing, ...more })
    if (reply.status !== 'ok') throw new Error(`answered ${reply.status}`)
    return reply
  }
  const ask = async (untilMs: number, request = '7', requester = REQUESTER) => {
    const address = JSON.stringify({ requester, request, untilMs })
    const batches = [{ value: encodeBatch([1], { properties: [[REPORT_TO, address]] }), id: `ask-${request}` }]
    const number = ++published
    await scripts.run(publish, TOPIC, { session: 'prodAAAA', number, lowestUnanswered: number, batches })
  }
  const settle = async (consumer: Consumer, outcome: object) => {
    const { lastLease } = await go(consumer)
    return go(consumer, { want: 0, settles: [{ lease: lastLease, index: 0, ...outcome }] })
  }
  const answer = (consumer: Consumer, result: string) => settle(consumer, { outcome: 'done', result })
  const soon = () => Date.now() + MINUTE_MS
  const kept = async () =>
    (await readTopic(place.redis, place.namespace, TOPIC)).replies.get(REQUESTER)?.map((text) => JSON.parse(text))

  /** Subscribes; the function it resolves with gives what came until then. */
  async function listen(): Promise<() => Promise<unknown[]>> {
    const subscriber = place.redis.duplicate()
    const channel = scripts.key(TOPIC, `reply:${REQUESTER}`)
    const heard: unknown[] = []
    const ended = new Promise<void>((resolve) => {
      subscriber.on('message', (_, text) => {
        if (text === 'end') resolve()
        else heard.push(JSON.parse(text))
      })
    })
    await subscriber.subscribe(channel)
    return async () => {
      await place.redis.publish(channel, 'end')
      await ended
      subscriber.disconnect()
      return heard
    }
  }

  it('is told at once on its channel by every group, the last of which says so, and nothing is kept', async () => {
    const told = await listen()
    const [g, h] = [await enter('busAAAAA~1', 'g'), await enter('busAAAAA~2', 'h')]
    await ask(soon())
    expect((await answer(g, '{"ok":true}')).outbox).to.equal(false)
    await answer(h, '!{"name":"BuswayError","message":"too large"}')
    const end = { request: '7', id: 'ask-7', outcome: 'done' }
    expect(await told()).to.deep.equal([
      { ...end, last: false, group: 'g', result: { ok: true } },
      { ...end, last: true, group: 'h', error: { name: 'BuswayError', message: 'too large' } },
    ])
    expect(await kept()).to.equal(undefined)
  })

  it('is told when it dies and when it is purged, and not again when its dead letter goes', async () => {
    const told = await listen()
    const consumer = await enter('busAAAAA~1')
    await ask(soon(), '1')
    await settle(consumer, { outcome: 'dead', reason: 'attempts', error: '{"name":"Error","message":"no"}' })
    await ask(soon(), '2')
    for (const what of ['dead', 'waiting'] as const)
      await scripts.run(purge, TOPIC, { group: 'g', what, limit: 10, producer: 'freshAAA' })
    expect(await told()).to.deep.equal([
      { request: '1', last: true, id: 'ask-1', group: 'g', outcome: 'dead', error: { name: 'Error', message: 'no' } },
      { request: '2', last: true, id: 'ask-2', group: 'g', outcome: 'purged' },
    ])
  })

  it('is kept while the requester is away, until nobody waits for any of it', async () => {
    const consumer = await enter('busAAAAA~1')
    await ask(Date.now() + 2 * MINUTE_MS, '1')
    await answer(consumer, '1')
    await ask(soon(), '2')
    await answer(consumer, '2')
    expect((await kept())?.map(({ result }) => result)).to.deep.equal([1, 2])
    const pttl = await place.redis.pttl(scripts.key(TOPIC, `replies:${REQUESTER}`))
    expect(pttl).to.be.within(1.5 * MINUTE_MS, 2 * MINUTE_MS)
  })

  it('is told nobody when the wait is over, or the address is none', async () => {
    const told = await listen()
    const consumer = await enter('busAAAAA~1')
    for (const [n, untilMs] of [Date.now() - 1, Number.MAX_VALUE, soon()].entries()) {
      await ask(untilMs, String(n), n === 2 ? 'no}:requester' : REQUESTER)
      await answer(consumer, '1')
    }
    expect(await told()).to.deep.equal([])
    expect((await readTopic(place.redis, place.namespace, TOPIC)).replies.size).to.equal(0)
  })
})
