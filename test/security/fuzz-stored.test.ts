/**
 * Envelopes that somebody else than a bus has written, through the real scripts to a real consumer: each is refused when it is published, or its messages end as
 * any do, settled or dead letters. None stops a script half-way, and beside them good messages run.
 */
import { declare, publish } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { encodeBatch, encodeProperties } from '../../packages/bus/src/wire/index.js'
import { ScriptDriver } from '../lua/script-driver.js'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'
import { messages, properties } from '../wire/batches.js'
import { inputs } from './effort.js'
import { mutated, mutation } from './mutations.js'

const TOPIC = 'orders.paid'
const OPTIONS = { concurrency: 50, retry: false } as const
const batch = fc.tuple(properties, messages).map(([said, all]) => encodeBatch(1, encodeProperties(said), all))
const damage = fc.array(mutation, { maxLength: 4 })

describe('envelopes of strangers', function () {
  this.timeout(300_000)
  const w = world()
  const scripts = () => new ScriptDriver(w.redis, w.namespace, { redisVersion: w.server.version })
  /** Whatever the scripts or the client could not cope with. */
  const faults = () =>
    w.log.items
      .filter(({ level, msg, err }) => level >= 50 && !(err && /dead letter/i.test(msg)))
      .map(({ msg, error }) => `${msg}: ${error}`)

  it('are refused whole, or come to an end as others do', async () => {
    const bus = w.bus({ service: 'ledger' })
    const good = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => void (isGood(body) && good.add(body)), OPTIONS).ready
    const driver = scripts()
    const count = inputs(4_000)
    let refused = 0
    for (const [i, [value, mutations]] of fc.sample(fc.tuple(batch, damage), count).entries()) {
      const session = `strange${i}`
      await driver.run(declare, TOPIC, { session })
      const batches = [{ value: mutations.reduce(mutated, value) }]
      try {
        await driver.run(publish, TOPIC, { session, number: 1, lowestUnanswered: 1, batches })
      } catch (error) {
        expect(String(error)).to.include('INVALID a batch cannot be read')
        refused++
      }
      if (i % 10 === 0) await bus.publish(TOPIC, { good: i })
    }
    await good.count(Math.ceil(count / 10), 60_000)
    await expectAllEnded()
    expect(faults()).to.deep.equal([])
    expect(refused)
      .to.be.greaterThan(count / 10)
      .and.lessThan(count)
  })

  it('come to an end as others do where good ones were written over', async () => {
    const bus = w.bus({ service: 'ledger' })
    const driver = scripts()
    await driver.run(declare, TOPIC, { session: 'unharmed', groups: ['ledger'] })
    const values = fc.sample(fc.tuple(batch, damage), inputs(2_000))
    for (const [i, [value]] of values.entries())
      await driver.run(publish, TOPIC, {
        session: 'unharmed',
        number: i + 1,
        lowestUnanswered: 1,
        batches: [{ value }],
      })
    const at = `${w.namespace}:{${TOPIC}}:`
    const lone = await w.redis.hgetallBuffer(`${at}batches`)
    let i = 0
    const damaged = (value: Buffer): Buffer => (values[i++ % values.length]?.[1] ?? []).reduce(mutated, value)
    for (const [name, value] of Object.entries(lone)) await w.redis.hset(`${at}batches`, name, damaged(value))
    for (const key of await w.redis.keys(`${at}b:*`))
      await w.redis.set(key, damaged((await w.redis.getBuffer(key)) ?? Buffer.alloc(0)))

    const good = new Received<unknown>()
    await bus.consume(TOPIC, ({ body }) => void (isGood(body) && good.add(body)), OPTIONS).ready
    await bus.publish(TOPIC, { good: 1 })
    await good.count(1)
    await expectAllEnded()
    // Nothing at all is left of some.
    expect(faults().filter((fault) => !fault.startsWith('Redis has lost a message'))).to.deep.equal([])
  })

  async function expectAllEnded(): Promise<void> {
    const bus = w.bus({ service: 'looking' })
    const events = bus.events(TOPIC)
    await events.ready
    for (;;) {
      const { ready, inFlight, held, retrying } = (await bus.topic(TOPIC).group('ledger').stats()) ?? {}
      if (ready + inFlight + held + retrying === 0) break
      await events.next()
    }
    await events.close()
    await bus.topic(TOPIC).group('ledger').purge({ state: 'dead' })
  }
})

const isGood = (body: unknown): boolean => typeof body === 'object' && body !== null && 'good' in body
