/**
 * How many commands the hot scripts make. Exact, since that is the promise: what a feature costs those that do not use it is nothing. A number that rises here
 * is paid by every message.
 */
import { type AdvanceRequest, type BatchToPublish, declare, type LeasePart, type Settle, watch } from '@busway/lua'
import { expect } from 'chai'
import { assemble } from '../../lua/src/files.js'
import { encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'
import { listen } from './listening.js'

const SESSION = 'busAAAAA~1'
/** So long that no sign of life is written meanwhile, however busy the machine. */
const LEASE_MS = 36_000_000

describe('the commands', () => {
  const driven = drivenTopic()
  const { place, put, enter, go } = driven

  const calls = async (): Promise<Map<string, number>> => {
    const info = await place.redis.info('commandstats')
    return new Map(
      [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name as string, Number(n)]),
    )
  }
  /** What `work` makes Redis do, without the calls of the scripts themselves. */
  const cost = async (work: () => Promise<unknown>): Promise<number> => {
    const before = await calls()
    await work()
    const after = await calls()
    const own = /^(evalsha|eval|info)$/
    return [...after].reduce((sum, [name, n]) => sum + (own.test(name) ? 0 : n - (before.get(name) ?? 0)), 0)
  }
  const batch = (size: number, more: Partial<BatchToPublish> = {}): BatchToPublish => ({
    value: encodeBatch(Array.from({ length: size }, (_, i) => i)),
    ...more,
  })
  const whole = (ranges: readonly { readonly lease: number }[]): LeasePart[] => ranges.map(({ lease }) => ({ lease }))
  /** Takes and acks all there is. */
  const empty = async (): Promise<void> => {
    for (let acks: LeasePart[] = []; ; ) {
      const { ranges } = await go(SESSION, { want: 1000, acks })
      if (ranges.length === 0) return
      acks = whole(ranges)
    }
  }

  // With each script loaded and run before: Redis keeps the text of the first.
  beforeEach(async () => {
    await enter(SESSION, 'g', { leaseMs: LEASE_MS })
    await put([batch(1)])
    await empty()
  })

  it('a message that is pushed costs 14 commands', async () => {
    await enter('busAAAAA~9', 'g', { leaseMs: LEASE_MS, takesPushes: true })
    await go(SESSION, { want: 0 })
    await go('busAAAAA~9')
    const listening = await listen(place.redis, driven.scripts.key(TOPIC, 'wake:busAAAAA'))
    expect(await cost(() => put([batch(1)]))).to.equal(14)
    await listening.stop()
  })

  const published: [what: string, batches: BatchToPublish[], commands: number][] = [
    ['a message', [batch(1)], 9],
    ['a batch of 128', [batch(128)], 9],
    ['five batches', [batch(3), batch(1), batch(7), batch(1), batch(128)], 10],
    ['a message with its own id', [batch(1, { id: 'own' })], 10],
  ]
  for (const [what, batches, commands] of published) {
    it(`of publishing ${what} are ${commands}`, async () => {
      // So that nobody waits to be woken.
      await go(SESSION, { want: 0 })
      await put([batch(1)])
      expect(await cost(() => put(batches))).to.equal(commands)
      await empty()
    })
  }

  it('of a fetch read no more batches than fit into its bytes, by those that it read first', async () => {
    for (let n = 0; n < 40; n++) await put([{ value: encodeBatch(['x'.repeat(10_000), n]) }])
    const monitor = await place.redis.monitor()
    let read = 0
    const heard = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, [command = '', ...keys]: string[]) => {
        if (command.toLowerCase() === 'mget') read += keys.length
        if (command.toLowerCase() === 'ping') resolve()
      })
    })
    const { ranges } = await go(SESSION, { want: 1000, wantBytes: 100_000 })
    await place.redis.ping()
    await heard
    monitor.disconnect()
    expect([ranges.length, read]).to.deep.equal([9, 10])
  })

  const plainly: [script: Parameters<typeof assemble>[0], end: string, lastWrite: string][] = [
    ['publish', 'return { 0, now, {}, {}, 0 }', "call('SET'"],
    ['advance', 'return { now, -1, tonumber(lease), 0, taken, {} }', "call('ZADD', waiting"],
  ]
  for (const [script, end, lastWrite] of plainly) {
    it(`come first in a plain ${script}, which makes no function: each would be made anew at every call`, () => {
      const [plain = '', rest = ''] = assemble(script).split(end)
      expect(plain)
        .to.include(lastWrite)
        .and.not.match(/\bfunction\b/)
      expect(rest).to.match(/\bfunction\b/)
    })
  }

  /** A batch is acked, another of its size is taken. */
  const turnover = async (size: number, more: Partial<AdvanceRequest> = {}): Promise<number> => {
    await put([batch(size)])
    const { ranges } = await go(SESSION, { want: size })
    await put([batch(size)])
    return cost(() => go(SESSION, { want: size, acks: whole(ranges), ...more }))
  }
  const advanced: [what: string, () => Promise<number>, commands: number][] = [
    ['acks a message and takes another', () => turnover(1), 23],
    ['acks 128 and takes 128', () => turnover(128), 21],
    ['renews as well', () => turnover(128, { renew: true }), 24],
    ['has nothing to do', () => cost(() => go(SESSION, { want: 0 })), 8],
  ]
  for (const [what, work, commands] of advanced) {
    it(`of an advance that ${what} are ${commands}`, async () => {
      expect(await work()).to.equal(commands)
    })
  }

  const settled: [what: string, Settle, commands: number][] = [
    ['as done, with a result', { lease: 0, index: 1, outcome: 'done', result: '1' }, 14],
    ['as failed', { lease: 0, index: 1, outcome: 'retry', delayMs: 60_000, counted: true, error: '{}' }, 30],
    ['as dead', { lease: 0, index: 1, outcome: 'dead', reason: 'attempts', error: '{}' }, 28],
  ]
  for (const [what, settle, commands] of settled) {
    it(`of settling one message of a batch ${what} are ${commands}`, async () => {
      await put([batch(3)])
      const { lastLease: lease } = await go(SESSION)
      expect(await cost(() => go(SESSION, { want: 0, settles: [{ ...settle, lease }] }))).to.equal(commands)
    })
  }

  describe('of a topic that retains', () => {
    it('are three more to publish, and one fewer to settle what is kept', async () => {
      await go(SESSION, { want: 0 })
      const before = [await cost(() => put([batch(128)])), await turnover(128)]
      await empty()
      await driven.scripts.run(declare, TOPIC, { settings: { retain: 'n1000000' } })
      await put([batch(1)])
      await empty()
      await go(SESSION, { want: 0 })
      const after = [await cost(() => put([batch(128)])), await turnover(128)]
      await empty()
      expect(after.map((n, i) => n - (before[i] as number))).to.deep.equal([3, -1])
    })
  })

  describe('of a topic that is watched', () => {
    const settle = async (): Promise<number> => {
      await put([batch(3)])
      const { lastLease: lease } = await go(SESSION)
      return cost(() => go(SESSION, { want: 0, acks: [{ lease }] }))
    }

    it('are one more, and those that they were when nobody hears it any more', async () => {
      const before = await settle()
      const listening = await listen(place.redis, driven.scripts.key(TOPIC, 'events'))
      await driven.scripts.run(watch, TOPIC, { forMs: LEASE_MS })
      expect(await settle()).to.equal(before + 1)
      await listening.stop()
      await settle()
      expect(await settle()).to.equal(before)
    })

    it('are none beside, where nothing ends', async () => {
      const idle = () => cost(() => go(SESSION, { want: 0 }))
      // So that nobody waits to be woken.
      await go(SESSION, { want: 0 })
      await put([batch(1)])
      const before = [await cost(() => put([batch(3)])), await idle()]
      const listening = await listen(place.redis, driven.scripts.key(TOPIC, 'events'))
      await driven.scripts.run(watch, TOPIC, { forMs: LEASE_MS })
      expect([await cost(() => put([batch(3)])), await idle()]).to.deep.equal(before)
      await listening.stop()
      await empty()
    })
  })
})
