/** Batches whose messages have ordering keys of their own: they wait unsorted, and are sorted when they are taken (docs/data-model.md, Ordering keys). */
import { purge } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeBatch, encodeBatch as encode, encodeProperties } from '../../packages/bus/src/wire/index.js'
import { encodeBatch } from './batch.js'
import { type Advanced, drivenTopic, TOPIC } from './driven-topic.js'
import { readTopic } from './snapshot.js'

const KEY = 2
const PRIORITY = 3
const KEYS = 8
const A = 'busAAAAA~1'
const B = 'busAAAAA~2'

describe('a batch whose messages have keys of their own', () => {
  const driven = drivenTopic()
  const { place, put, enter, go, bodies } = driven
  let n = 0

  const several = (...keys: string[]) => ({
    value: encodeBatch(
      keys.map((key) => `${key}${++n}`),
      { properties: [[KEYS, keys.join('\n')]] },
    ),
  })
  const one = (key: string, priority = 0) => ({
    value: encodeBatch([`${key}${++n}`], {
      properties: [[KEY, key], ...(priority === 0 ? [] : [[PRIORITY, String(priority)] as const])],
    }),
  })
  const many = (key: string, count: number) => ({
    value: encodeBatch(
      Array.from({ length: count }, () => `${key}${++n}`),
      { properties: [[KEY, key]] },
    ),
  })
  const acks = ({ ranges }: Advanced) => ranges.map(({ lease }) => ({ lease }))
  const group = async () => (await readTopic(place.redis, place.namespace, TOPIC)).groups.get('g@1')

  beforeEach(async () => {
    n = 0
    await enter(A)
    await enter(B)
  })

  it('is taken whole where nothing of its keys is out, and each message says its key', async () => {
    await put([several('a', 'b', 'c')])
    expect((await group())?.state.get('unsorted')).to.equal('3')
    const { ranges } = await go(A)
    expect(ranges.map(({ count, keys }) => ({ count, keys }))).to.deep.equal([{ count: 3, keys: ['a', 'b', 'c'] }])
    expect([...((await group())?.keys ?? [])].sort()).to.deep.equal([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
  })

  it('leaves what has a key that is out to its line, which is older than all that is unsorted', async () => {
    await put([several('a', 'b')])
    const held = await go(A)
    await put([several('x', 'a', 'y'), several('a', 'z')])
    const others = await go(B)
    expect(bodies(others)).to.deep.equal(['x3', 'y5', 'z7'])
    await put([several('p', 'q')])
    expect((await group())?.line.get('a')?.map(({ from }) => from)).to.deep.equal([1, 0])
    const next = await go(A, { want: 2, acks: acks(held) })
    expect(bodies(next), 'before what came later').to.deep.equal(['a4', 'p8'])
    expect(bodies(await go(A, { acks: acks(next), want: 1 }))).to.deep.equal(['a6'])
  })

  it('is not overtaken by what has but one key', async () => {
    await put([several('a', 'b')])
    await put([one('b'), one('c')])
    const first = await go(A, { want: 1 })
    expect(bodies(first)).to.deep.equal(['a1'])
    const second = await go(B, { want: 10 })
    expect(bodies(second)).to.deep.equal(['b2', 'c4', 'b3'])
  })

  it('is refused whole where it does not list one key of each message, or says anything else of them', async () => {
    const before = await readTopic(place.redis, place.namespace, TOPIC)
    const wrong = [
      { value: encodeBatch([1, 2, 3], { properties: [[KEYS, 'a\nb']] }) },
      { value: encodeBatch([1, 2], { properties: [[KEYS, 'a\n']] }) },
      { value: encodeBatch([1, 2], { properties: [[KEYS, 'a\nb\nc']] }) },
      { value: encodeBatch([1], { properties: [[KEYS, 'a']] }) },
      {
        value: encodeBatch([1, 2], {
          properties: [
            [PRIORITY, '1'],
            [KEYS, 'a\nb'],
          ],
        }),
      },
    ]
    for (const batch of wrong) {
      const error = await put([batch]).then(
        () => undefined,
        (reason: Error) => reason,
      )
      expect(error?.message).to.match(/INVALID a batch cannot be read/)
      driven.published--
    }
    expect(await readTopic(place.redis, place.namespace, TOPIC)).to.deep.equal(before)
  })

  it('costs so many commands, however many keys', async () => {
    const calls = async () =>
      [...(await place.redis.info('commandstats')).matchAll(/^cmdstat_(?!eval|info|script)[^:]+:calls=(\d+)/gm)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      )
    const cost = async (work: () => Promise<unknown>) => {
      const before = await calls()
      await work()
      return (await calls()) - before
    }
    const batch = () => several(...Array.from({ length: 128 }, (_, i) => `k${i}`))
    await put([batch()])
    const first = await go(A, { want: 128 })
    await go(A, { want: 0, acks: acks(first) })
    expect(await cost(() => put([batch()])), 'to publish').to.equal(11)
    const second = await go(A, { want: 128 })
    await put([batch()])
    expect(await cost(() => go(A, { want: 128, acks: acks(second) })), 'to ack and to take').to.equal(27)
  })

  it('puts a bounded number into lines at a call, and says that there is more', async () => {
    await put([one('hot')])
    const held = await go(A, { want: 1 })
    const hot = () => several('hot', ...Array.from({ length: 9 }, (_, i) => `warm${i}`))
    for (let i = 0; i < 10; i++) await put(Array.from({ length: 16 }, hot))
    const seen: string[] = []
    const asked: boolean[] = []
    let last = await go(B, { want: 1000 })
    for (; last.ranges.length > 0 || last.more; last = await go(B, { want: 1000, acks: acks(last) })) {
      asked.push(last.more)
      seen.push(...(bodies(last) as string[]))
    }
    expect(asked[0]).to.equal(true)
    let mine = held
    for (; mine.ranges.length > 0; mine = await go(A, { want: 1000, acks: acks(mine) }))
      seen.push(...(bodies(mine) as string[]))
    expect(seen).to.have.length(1601)
    for (const key of ['hot', 'warm0', 'warm8']) {
      const ofKey = seen.filter((body) => body.startsWith(key)).map((body) => Number(body.slice(key.length)))
      expect(ofKey).to.deep.equal([...ofKey].sort((a, b) => a - b))
    }
  })

  it('of a topic in which priorities have keys is sorted at once, after the first', async () => {
    await put([several('a', 'b')])
    await put([one('c', 5)])
    const first = await go(A, { want: 2 })
    expect(bodies(first), 'the first waits behind what was there').to.deep.equal(['a1', 'b2'])
    await go(A, { want: 1, acks: acks(first) }).then((reply) => go(A, { want: 0, acks: acks(reply) }))
    await put([several('a', 'b')])
    expect((await group())?.state.get('unsorted')).to.equal('0')
    await put([one('c', 5), one('b', 5)])
    expect(bodies(await go(A))).to.deep.equal(['c6', 'a4', 'b5', 'b7'])
  })

  it('can be purged, in parts', async () => {
    await put([several('a', 'b', 'c')])
    await put([one('a')])
    const held = await go(A, { want: 1 })
    const request = { group: 'g', what: 'waiting', limit: 2, producer: 'prodPPPP' } as const
    let purged = 0
    for (let more = true; more; ) {
      const reply = await driven.scripts.run(purge, TOPIC, request)
      purged += reply.count
      more = reply.more
    }
    expect(purged).to.equal(3)
    await put([several('a', 'b')])
    expect(bodies(await go(B))).to.deep.equal(['b6'])
    expect(bodies(await go(A, { acks: acks(held) }))).to.deep.equal(['a5'])
  })

  it('gives of many messages of one key no more at once than leaves something to the others', async () => {
    await put([many('a', 15), many('b', 15)])
    const { ranges } = await go(A, { want: 4 })
    expect(ranges.map(({ key, count }) => [key, count])).to.deep.equal([
      ['a', 2],
      ['b', 2],
    ])
    const rest = await go(B, { want: 30 })
    expect(rest.ranges).to.deep.equal([])
  })

  it('has in each slice that is cut of it what belongs to its messages', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((key) => !key.includes('\n'))
    const message = fc.record({
      body: fc.string({ maxLength: 40 }).map((body) => JSON.stringify(body)),
      type: fc.option(fc.string({ minLength: 1, maxLength: 5 }), { nil: undefined }),
      headers: fc.option(fc.dictionary(fc.constantFrom('a', 'b'), fc.string({ maxLength: 5 })), { nil: undefined }),
      expiresAtMs: fc.option(fc.constantFrom(4e12, 5e12), { nil: undefined }),
    })
    const batch = fc
      .uniqueArray(text, { minLength: 2, maxLength: 9 })
      .chain((keys) =>
        fc.tuple(fc.constant(keys), fc.array(message, { minLength: keys.length, maxLength: keys.length })),
      )
    await fc.assert(
      fc.asyncProperty(
        batch,
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 9, maxLength: 9 }),
        async ([keys, messages], wants) => {
          const wire = messages.map(({ body, type, headers, expiresAtMs }) => ({
            ...{ body, bodyBytes: Buffer.byteLength(body), type, headers, contentType: undefined },
            ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
          }))
          await put([{ value: encode(1_700_000_000_000, encodeProperties({ source: 'test', keys }), wire) }])
          let at = 0
          for (const want of wants) {
            const reply = await go(A, { want })
            for (const { value, count } of reply.ranges) {
              const envelope = decodeBatch(value as Buffer)
              expect(envelope.count).to.equal(count)
              for (let i = 0; i < count; i++, at++) {
                const { body, type, headers = {}, expiresAtMs = 0 } = messages[at] as (typeof messages)[number]
                expect(envelope.keyOf(i)).to.equal(keys[at])
                expect(envelope.body(i).toString()).to.equal(body)
                expect(envelope.expiresAtMs(i)).to.equal(expiresAtMs)
                expect({ ...envelope.extra(i).headers }).to.deep.equal(headers)
                expect(envelope.extra(i).type).to.equal(type)
              }
            }
            await go(A, { want: 0, acks: acks(reply) })
          }
          expect(at).to.equal(keys.length)
        },
      ),
      { numRuns: 60 },
    )
  })
})
